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

var (
	errAmbiguous = errors.New("redis: save: the connection failed, and the record has changed " +
		"since: it is unknown whether it was stored")
	errDeleted = errors.New("redis: save: the record was stored, " +
		"but was deleted before the reply arrived")
)

// Save stores rec if the stored version is rec.Version, and returns it with its new version.
// With [store.ErrConflict] it returns the stored record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	now := time.Now()
	if rec.Expired(now) {
		current, err := s.Load(ctx, rec.Key)
		return storekit.RefuseExpired(rec.Version, current, err)
	}
	if err := storekit.CheckSize(&rec, s.options.MaxData); err != nil {
		return store.Record{}, fmt.Errorf("redis: save: %w", err)
	}
	next := newDraft(&rec)
	reply, err := s.write(ctx, &rec, next, now)
	if err != nil {
		return store.Record{}, err
	}
	if reply != replyOK {
		return explainRefusal(&rec, reply, next, now)
	}
	rec.Version, rec.Expires = next.version, fromUnixMillis(unixMillis(rec.Expires))
	return rec, nil
}

// write stores the record and keeps the index in step with it. It returns a reply of the script.
func (s *Store) write(
	ctx context.Context, rec *store.Record, next *draft, now time.Time,
) (any, error) {
	if !s.options.Sharded {
		return s.runSave(ctx, rec, next, now)
	}
	return s.writeIndexed(ctx, rec, now, func() (any, error) {
		return s.runSave(ctx, rec, next, now)
	})
}

// runSave runs the script that writes the record, and its index if that is on the same server.
func (s *Store) runSave(
	ctx context.Context, rec *store.Record, next *draft, now time.Time,
) (any, error) {
	keys, look := s.scriptKeys(rec), ""
	if len(keys) > 1 {
		look = s.watch.onSave(now)
	}
	args := []any{
		versionPrefix(rec.Version), now.UnixMilli(), next, ttlMillis(rec.Expires, now),
		look, s.localIndexes,
	}
	reply, err := s.send(ctx, next, "evalsha", s.scripts.save.Hash(), keys, args)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = s.send(ctx, next, "eval", saveLua(), keys, args)
	}
	s.watch.note(look, err, now)
	if err != nil {
		return nil, s.wrapError(ctx, "save", err)
	}
	return reply, nil
}

// send runs a script that has next among its arguments.
func (s *Store) send(
	ctx context.Context, next *draft, name, script string, keys []string, args []any,
) (any, error) {
	const firstKey = 3
	all := append(make([]any, 0, firstKey+len(keys)+len(args)), name, script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	cmd.SetFirstKeyPos(firstKey)
	next.sendAs(cmd)
	_ = s.client.Process(ctx, cmd) // the command has the error, too
	return cmd.Result()
}

// explainRefusal returns the result of a save that the script did not store.
func explainRefusal(
	rec *store.Record, reply any, next *draft, now time.Time,
) (store.Record, error) {
	if reply == replyDeleted {
		return store.Record{}, errDeleted
	}
	stored, _ := reply.(string)
	conflict := strings.HasPrefix(stored, magic)
	switch {
	case conflict && next.sent > 1:
		// The first attempt may have been stored, and changed by another request since. After
		// ErrConflict the caller would apply its changes a second time.
		return store.Record{}, errAmbiguous
	case conflict:
		if current, err := decode(rec.Key, []byte(stored), now); err == nil {
			return current, store.ErrConflict
		}
	}
	if rec.Version == 0 { // the key holds a damaged or a foreign value
		return store.Record{}, store.ErrConflict
	}
	return store.Record{}, store.ErrNotFound
}
