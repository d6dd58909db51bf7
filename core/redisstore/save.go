package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// grave is how long the version of a deleted record is kept. It must be longer than a call can take, with its retries.
const grave = time.Minute

// What scripts answer.
const (
	replyOK       = "OK"
	replyGone     = "GONE"
	replyConflict = "CONFLICT"
	replyForeign  = "FOREIGN"
	replyDeleted  = "DELETED"
)

var (
	errAmbiguous = errors.New("redis: save: the connection broke, and the record has changed since: nobody knows whether it was stored")
	errDeleted   = errors.New("redis: save: the record was stored, and has been deleted before the client learned of it")
)

// Save stores rec if its version is still the stored one.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	now := time.Now()
	if rec.Expired(now) {
		current, err := s.Load(ctx, rec.Key)
		return storekit.RefuseExpired(rec.Version, current, err)
	}
	if len(rec.Data) > s.options.MaxData {
		return store.Record{}, fmt.Errorf("redis: save: %w: its data has %d bytes, Options.MaxData is %d", store.ErrTooLarge, len(rec.Data), s.options.MaxData)
	}
	next := newDraft(&rec)
	if s.options.Sharded {
		if err := s.enlist(ctx, &rec, now); err != nil {
			return store.Record{}, err
		}
	}
	reply, err := s.replace(ctx, &rec, next, now)
	if err != nil {
		return store.Record{}, s.failed(ctx, "save", err)
	}
	if reply != replyOK {
		return s.refused(&rec, reply, next, now)
	}
	if s.options.Sharded {
		if err := s.enlist(ctx, &rec, now); err != nil {
			return store.Record{}, err
		}
	}
	rec.Version, rec.Expires = next.version, instant(millis(rec.Expires))
	return rec, nil
}

// replace runs the script that writes the record.
func (s *Store) replace(ctx context.Context, rec *store.Record, next *draft, now time.Time) (any, error) {
	args := []any{begins(rec.Version), now.UnixMilli(), next, lasting(rec.Expires, now)}
	keys := s.keys(rec)
	reply, err := s.scripts.save.EvalSha(ctx, s.client, keys, args...).Result()
	if err != nil && errors.Is(err, redis.ErrNoScript) {
		next.sent-- // that time it was not executed
		reply, err = s.scripts.save.Eval(ctx, s.client, keys, args...).Result()
	}
	return reply, err
}

// refused says why the script has not stored the record.
func (s *Store) refused(rec *store.Record, reply any, next *draft, now time.Time) (store.Record, error) {
	if reply == replyDeleted {
		return store.Record{}, errDeleted
	}
	stored, _ := reply.(string)
	conflict := strings.HasPrefix(stored, magic)
	switch {
	case conflict && next.sent > 1:
		// An earlier attempt may have stored it for somebody else to change. A conflict would have the caller apply its
		// changes twice.
		return store.Record{}, errAmbiguous
	case conflict:
		if current, err := decode(rec.Key, []byte(stored), now); err == nil {
			return current, store.ErrConflict
		}
	}
	if rec.Version == 0 {
		return store.Record{}, store.ErrConflict // with what is damaged or not ours
	}
	return store.Record{}, store.ErrNotFound
}

// Touch moves the expiry of the record forward.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	now := time.Now()
	if s.options.Sharded {
		if err := s.enlist(ctx, &rec, now); err != nil {
			return err
		}
	}
	reply, err := s.scripts.touch.Run(ctx, s.client, s.keys(&rec),
		begins(rec.Version), now.UnixMilli(), appendExpiry(nil, rec.Expires), lasting(rec.Expires, now)).Text()
	switch {
	case err != nil:
		return s.failed(ctx, "touch", err)
	case reply == replyGone:
		return store.ErrNotFound
	case reply == replyConflict:
		return store.ErrConflict
	}
	return nil
}

// keys are those that the scripts about a record get: its own, and that of its index where both are on one server.
func (s *Store) keys(rec *store.Record) []string {
	if rec.Subject == "" || s.options.Sharded {
		return []string{rec.Key}
	}
	return []string{rec.Key, s.indexKey(rec.Subject)}
}
