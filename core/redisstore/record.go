package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// fetch is the command for the fields of a session's hash, as decode takes them: version, expiry, subject, data. It is
// written out because an argument that is a constant needs no memory.
func fetch(ctx context.Context, key string) *redis.SliceCmd {
	return redis.NewSliceCmd(ctx, "hmget", key, "v", "e", "s", "d")
}

// decode reads the fields of a hash: ErrNotFound if there is none, it is not one of ours, or its time is over.
func decode(key string, fields []any, now time.Time) (store.Record, error) {
	var text [4]string
	for i := range text {
		var ok bool
		if i < len(fields) {
			text[i], ok = fields[i].(string)
		}
		if !ok {
			return store.Record{}, store.ErrNotFound
		}
	}
	version, err := strconv.ParseUint(text[0], 10, 64)
	if err != nil || version == 0 {
		return store.Record{}, store.ErrNotFound
	}
	millis, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil || millis < 0 || millis > forever {
		return store.Record{}, store.ErrNotFound
	}
	rec := store.Record{Key: key, Subject: text[2], Data: []byte(text[3]), Expires: instant(millis), Version: version}
	if rec.Expired(now) {
		return store.Record{}, store.ErrNotFound
	}
	return rec, nil
}

// forever is the last expiry in milliseconds that scripts can count to, hundreds of thousands of years away. Later is never.
const forever = 1 << 53

// millis returns t in milliseconds of the Unix epoch, rounded up so that no record ends early; 0 is never, so what was
// over by 1970 is over a millisecond later.
func millis(t time.Time) int64 {
	if t.IsZero() || t.Unix() >= forever/1000 {
		return 0
	}
	return max(t.Add(time.Millisecond-1).UnixMilli(), 1)
}

// instant is the reverse of millis.
func instant(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis)
}

// nonce is a new version on its way to the server. It counts how often it is sent: the client sends a command again when
// it has lost the connection before the reply came.
type nonce struct {
	version uint64
	sent    int
}

// newNonce draws a version. 64 random bits do not repeat, so a save recognises its own version, and nobody else has it.
func newNonce() (*nonce, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("redis: drawing a version: %w", err)
	}
	return &nonce{version: max(binary.BigEndian.Uint64(b[:]), 1)}, nil
}

// MarshalBinary is what the client calls each time it writes the argument.
func (n *nonce) MarshalBinary() ([]byte, error) {
	n.sent++
	return strconv.AppendUint(nil, n.version, 10), nil
}

// String returns the version for those who print commands.
func (n *nonce) String() string { return strconv.FormatUint(n.version, 10) }
