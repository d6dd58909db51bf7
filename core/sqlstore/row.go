package sqlstore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// maxName is the length of the columns for keys and subjects.
const maxName = 255

var (
	errClosed = errors.New("sessions: sqlstore: the store is closed")
	errKey    = errors.New("sessions: sqlstore: the key is not printable ASCII of 1 to 255 bytes")
	errTime   = errors.New("sessions: sqlstore: the expiry is further away than milliseconds can count")
)

// plain reports whether text is printable ASCII, which each database keeps and compares alike.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return len(text) <= maxName
}

func checkKey(key string) error {
	if key == "" || !plain(key) {
		return errKey
	}
	return nil
}

// expiry is an instant in milliseconds of the Unix epoch, as the column has it: NULL means never.
type expiry struct{ sql.NullInt64 }

// newExpiry rounds t up, so that no session ends early.
func newExpiry(t time.Time) (expiry, error) {
	if t.IsZero() {
		return expiry{}, nil
	}
	const reach = math.MaxInt64/1000 - 1
	if t.Unix() > reach || t.Unix() < -reach {
		return expiry{}, errTime
	}
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return expiry{sql.NullInt64{Int64: ms, Valid: true}}, nil
}

func (e expiry) time() time.Time {
	if !e.Valid {
		return time.Time{}
	}
	return time.UnixMilli(e.Int64)
}

// clock is the time in which expiry is judged: that of this process, in milliseconds.
func clock() int64 { return time.Now().UnixMilli() }

// jitter returns a random duration between 75 and 125 percent of d.
func jitter(d time.Duration) time.Duration {
	const steps = 1 << 16
	var b [2]byte
	_, _ = rand.Read(b[:]) // Read never returns an error.
	return d/4*3 + time.Duration(binary.LittleEndian.Uint16(b[:]))*(d/2)/steps
}

// querier is what runs statements: a pool, a connection, or one of ours in front of them.
type querier interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// affected runs a statement and returns how many rows it affected.
func affected(ctx context.Context, q querier, text string, args ...any) (int64, error) {
	result, err := q.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// records runs a query and returns its rows.
func records(ctx context.Context, q querier, text string, args ...any) (all []store.Record, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var rec store.Record
		var expires expiry
		var version int64
		if err := rows.Scan(&rec.Key, &rec.Subject, &rec.Data, &expires.NullInt64, &version); err != nil {
			return nil, err
		}
		rec.Expires, rec.Version = expires.time(), uint64(max(version, 0))
		all = append(all, rec)
	}
	return all, rows.Err()
}

// one is records for a query of one row at most. Without a row it is [store.ErrNotFound].
func one(ctx context.Context, q querier, text string, args ...any) (store.Record, error) {
	all, err := records(ctx, q, text, args...)
	if err != nil {
		return store.Record{}, err
	}
	if len(all) == 0 {
		return store.Record{}, store.ErrNotFound
	}
	return all[0], nil
}

func tooLarge(size, limit int) error {
	return fmt.Errorf("%w: its data has %d bytes, Options.MaxData is %d", store.ErrTooLarge, size, limit)
}
