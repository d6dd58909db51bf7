package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// The index of a subject is a sorted set. Its members are the keys of the subject's records,
// and their scores the expiries. On a single server one script writes a record and its index.
// On a cluster they are on different servers, and these rules keep them consistent:
//
//   - A record's key is added to the index, with a score no lower than the record's expiry,
//     before the record is written and again afterwards.
//   - A reader that finds a member without a record lowers its score to a minute from now and
//     looks for the record again. If there is one by then, the reader raises the score again.
//   - Members whose score has passed are not read, and are removed clockSlack later.
//
// So a record that exists is always found, and a member without a record disappears a minute
// after a reader has noticed it. A member whose record belongs to another subject counts as
// one without a record.

// orphanTTL is how long a member without a record stays in an index. It must be longer than a
// save can take.
const orphanTTL = time.Minute

func (s *Store) indexKey(subject string) string { return s.options.IndexPrefix + subject }

// scriptKeys returns the keys for a script about a record: the record's own, and that of its
// index if both are on one server.
func (s *Store) scriptKeys(rec *store.Record) []string {
	if rec.Subject == "" || s.options.Sharded {
		return []string{rec.Key}
	}
	return []string{rec.Key, s.indexKey(rec.Subject)}
}

// addToIndex adds the key of a record to the index of its subject, if it has one. It never
// lowers the score of a member.
func (s *Store) addToIndex(ctx context.Context, rec *store.Record, now time.Time) error {
	if rec.Subject == "" {
		return nil
	}
	err := s.scripts.addToIndex.Run(ctx, s.client, []string{s.indexKey(rec.Subject)},
		rec.Key, unixMillis(rec.Expires), now.UnixMilli()).Err()
	if err != nil {
		return s.wrapError(ctx, "index", err)
	}
	return nil
}

// BySubject returns the records of a subject. It repairs the index where that does not match
// the records.
func (s *Store) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	if subject == "" {
		return nil, nil
	}
	now := time.Now()
	keys, err := s.scripts.members.Run(ctx, s.client, []string{s.indexKey(subject)},
		now.UnixMilli(), now.Add(-clockSlack).UnixMilli()).StringSlice()
	if err != nil {
		return nil, s.wrapError(ctx, "index", err)
	}
	found, missing, err := s.loadMembers(ctx, subject, keys)
	if err != nil || len(missing) == 0 {
		return found, err
	}
	if err := s.markOrphans(ctx, subject, missing, now); err != nil {
		if errors.Is(err, store.ErrFull) {
			err = nil // a user must be able to sign out everywhere; the repair can wait
		}
		return found, err
	}
	appeared, _, err := s.loadMembers(ctx, subject, missing)
	if err != nil {
		return nil, err
	}
	for i := range appeared {
		if err := s.addToIndex(ctx, &appeared[i], now); err != nil {
			return nil, err
		}
	}
	return append(found, appeared...), nil
}

// loadMembers returns the records under keys that belong to the subject, and the keys without
// one.
func (s *Store) loadMembers(
	ctx context.Context, subject string, keys []string,
) (found []store.Record, missing []string, err error) {
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

// markOrphans lowers the scores of members without a record, so that they disappear after
// orphanTTL.
func (s *Store) markOrphans(
	ctx context.Context, subject string, keys []string, now time.Time,
) error {
	members := make([]redis.Z, len(keys))
	for i, key := range keys {
		members[i] = redis.Z{Score: float64(now.Add(orphanTTL).UnixMilli()), Member: key}
	}
	args := redis.ZAddArgs{XX: true, LT: true, Members: members}
	if err := s.client.ZAddArgs(ctx, s.indexKey(subject), args).Err(); err != nil {
		return s.wrapError(ctx, "index", err)
	}
	return nil
}
