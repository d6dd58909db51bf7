package sqlstore

import (
	"database/sql"
	"math"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// maxName is the length of the columns for keys and subjects.
const maxName = 255

// printable reports whether a key, a prefix of one or a subject fits its column.
func printable(text string) bool { return storekit.Printable(text, maxName) }

func checkKey(key string) error {
	if key == "" || !printable(key) {
		return errKey
	}
	return nil
}

// expiry is the value of the column expires: milliseconds of the Unix epoch, or NULL for
// never.
type expiry struct{ sql.NullInt64 }

// newExpiry returns t as the column has it, rounded up.
func newExpiry(t time.Time) (expiry, error) {
	if t.IsZero() {
		return expiry{}, nil
	}
	const reach = math.MaxInt64/1000 - 1
	if t.Unix() > reach || t.Unix() < -reach {
		return expiry{}, errTime
	}
	return expiry{sql.NullInt64{Int64: storekit.CeilMilli(t), Valid: true}}, nil
}

func (e expiry) time() time.Time {
	if !e.Valid {
		return time.Time{}
	}
	return time.UnixMilli(e.Int64)
}

// nowMillis returns the time by which expiry is judged: that of this process, in
// milliseconds.
func nowMillis() int64 { return time.Now().UnixMilli() }

// expiredAt reports whether a record that was read from the table has expired.
func expiredAt(rec *store.Record, now int64) bool {
	return !rec.Expires.IsZero() && rec.Expires.UnixMilli() <= now
}
