package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// The sessions of a subject are the members of a sorted set, each with its expiry as score. On a single server one script
// writes both. On a cluster they lie on different servers; the rules that keep them together everywhere are:
//
//   - a record's key is in the set, with a score no lower than its expiry, before the record is written, and again after it
//   - whoever reads a member without a record lowers its score to a minute from now and looks again; if there is a
//     record by then, the score goes up again
//   - members whose score has passed are not read any more, and dropped slack later
//
// So a record that exists is always found, and a member without a record is gone a minute after it was noticed. What is
// found is checked: a member whose record has another subject now counts as one without.

const (
	// doubt is how long a member without a record stays in the set. It must be longer than a save can take.
	doubt = time.Minute
	// slack is how long members are kept after their time, and the set after its last one, for clocks that differ.
	slack = 24 * time.Hour
	// batch is how many records are loaded together.
	batch = 512
)

func (s *Store) indexKey(subject string) string { return s.options.IndexPrefix + subject }

// enlist puts a signed-in record's key into its subject's index, with a score no lower than before.
func (s *Store) enlist(ctx context.Context, rec *store.Record, now time.Time) error {
	if rec.Subject == "" {
		return nil
	}
	err := s.scripts.enlist.Run(ctx, s.client, []string{s.indexKey(rec.Subject)},
		rec.Key, millis(rec.Expires), now.UnixMilli()).Err()
	if err != nil {
		return s.failed(ctx, "index", err)
	}
	return nil
}

// BySubject returns the records of one subject and mends the index where it disagrees with them.
func (s *Store) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	if subject == "" {
		return nil, nil
	}
	now := time.Now()
	keys, err := s.scripts.members.Run(ctx, s.client, []string{s.indexKey(subject)},
		now.UnixMilli(), now.Add(-slack).UnixMilli()).StringSlice()
	if err != nil {
		return nil, s.failed(ctx, "index", err)
	}
	found, missing, err := s.members(ctx, subject, keys)
	if err != nil || len(missing) == 0 {
		return found, err
	}
	if err := s.suspect(ctx, subject, missing, now); err != nil {
		if errors.Is(err, store.ErrFull) {
			err = nil // signing out everywhere must work then too, and the members can wait
		}
		return found, err
	}
	late, _, err := s.members(ctx, subject, missing)
	if err != nil {
		return nil, err
	}
	for i := range late {
		if err := s.enlist(ctx, &late[i], now); err != nil {
			return nil, err
		}
	}
	return append(found, late...), nil
}

// members loads the records under keys, and returns the keys that have none of this subject.
func (s *Store) members(ctx context.Context, subject string, keys []string) (found []store.Record, missing []string, err error) {
	all, err := s.loadAll(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if all[i].Version != 0 && all[i].Subject == subject {
			found = append(found, all[i])
		} else {
			missing = append(missing, keys[i])
		}
	}
	return found, missing, nil
}

// suspect lowers the scores of members that have no record.
func (s *Store) suspect(ctx context.Context, subject string, keys []string, now time.Time) error {
	members := make([]redis.Z, len(keys))
	for i, key := range keys {
		members[i] = redis.Z{Score: float64(now.Add(doubt).UnixMilli()), Member: key}
	}
	args := redis.ZAddArgs{XX: true, LT: true, Members: members}
	if err := s.client.ZAddArgs(ctx, s.indexKey(subject), args).Err(); err != nil {
		return s.failed(ctx, "index", err)
	}
	return nil
}

// loadAll loads the records under keys, many at a time; a record that is not there has the version 0.
func (s *Store) loadAll(ctx context.Context, keys []string) ([]store.Record, error) {
	all := make([]store.Record, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), batch)
		some, err := s.loadSome(ctx, keys[:n])
		if err != nil {
			return nil, err
		}
		all, keys = append(all, some...), keys[n:]
	}
	return all, nil
}

// loadSome loads the records under keys in one pipeline.
func (s *Store) loadSome(ctx context.Context, keys []string) ([]store.Record, error) {
	stored, err := s.fetch(ctx, "load", keys, redis.Pipeliner.Get)
	if err != nil {
		return nil, err
	}
	some, now := make([]store.Record, len(keys)), time.Now()
	for i, key := range keys {
		// What is not there, or no session, stays empty.
		some[i], _ = decode(key, stored[i], now)
	}
	return some, nil
}

// fetch sends a command for each key in one pipeline and returns the replies, empty where there is nothing.
func (s *Store) fetch(ctx context.Context, operation string, keys []string, command func(redis.Pipeliner, context.Context, string) *redis.StringCmd) ([][]byte, error) {
	replies := make([]*redis.StringCmd, len(keys))
	// The error is one of those that the replies have.
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			replies[i] = command(p, ctx, key)
		}
		return nil
	})
	stored := make([][]byte, len(keys))
	for i, reply := range replies {
		var err error
		if stored[i], err = reply.Bytes(); err != nil && !nothing(err) {
			return nil, s.failed(ctx, operation, err)
		}
	}
	return stored, nil
}
