package redisstore

import (
	"cmp"
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// batchSize is how many keys are read in one pipeline.
const batchSize = 512

// loadAll returns the record for each of the keys. It has version 0 where there is no session.
func (s *Store) loadAll(ctx context.Context, keys []string) ([]store.Record, error) {
	all := make([]store.Record, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), batchSize)
		batch, err := s.loadBatch(ctx, keys[:n])
		if err != nil {
			return nil, err
		}
		all, keys = append(all, batch...), keys[n:]
	}
	return all, nil
}

// loadBatch is loadAll for keys that fit into one pipeline.
func (s *Store) loadBatch(ctx context.Context, keys []string) ([]store.Record, error) {
	stored, err := s.pipeline(ctx, "load", keys, redis.Pipeliner.Get)
	if err != nil {
		return nil, err
	}
	batch, now := make([]store.Record, len(keys)), time.Now()
	for i, key := range keys {
		batch[i], _ = decode(key, stored[i], now) // the record is zero if there is no session
	}
	return batch, nil
}

// absent is the lifetime of a record that does not exist.
const absent = -1

// lifetimes returns for each of the keys how many milliseconds the server keeps the record of
// the subject that is there: 0 means forever, and absent that there is none. It reads only the
// headers. The keys must fit into one pipeline.
func (s *Store) lifetimes(ctx context.Context, subject string, keys []string) ([]int64, error) {
	part := subjectPart(subject)
	headers, ttls := make([]*redis.StringCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	// The error returned is that of the first reply which has one; all are checked below.
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			headers[i] = p.GetRange(ctx, key, 0, int64(headerSize+len(part)-1))
			ttls[i] = p.PTTL(ctx, key)
		}
		return nil
	})
	lifetimes, now := make([]int64, len(keys)), time.Now()
	for i := range keys {
		header, err := headers[i].Bytes()
		if err = cmp.Or(err, ttls[i].Err()); err != nil && !isAbsent(err) {
			return nil, err
		}
		rec, ok := decodeHeader(header)
		belongs := ok && !rec.Expired(now) && string(header[headerSize:]) == part
		lifetimes[i] = lifetime(belongs, ttls[i].Val())
	}
	return lifetimes, nil
}

// lifetime translates the reply to PTTL.
func lifetime(exists bool, ttl time.Duration) int64 {
	switch {
	case !exists || ttl == -2: // without a unit: there is no such key
		return absent
	case ttl == -1: // the key does not expire
		return 0
	}
	return max(ttl.Milliseconds(), 1)
}

// areLive reports for each of the keys whether it holds a session that has not expired. It
// reads only the headers, because the data may be long.
func (s *Store) areLive(ctx context.Context, keys []string) ([]bool, error) {
	getHeader := func(p redis.Pipeliner, ctx context.Context, key string) *redis.StringCmd {
		return p.GetRange(ctx, key, 0, int64(headerSize-1))
	}
	stored, err := s.pipeline(ctx, "count", keys, getHeader)
	if err != nil {
		return nil, err
	}
	live, now := make([]bool, len(keys)), time.Now()
	for i := range stored {
		rec, ok := decodeHeader(stored[i])
		live[i] = ok && !rec.Expired(now)
	}
	return live, nil
}

// pipeline sends a command for each key in one pipeline. It returns the replies, which are
// empty where there is no string.
func (s *Store) pipeline(
	ctx context.Context, operation string, keys []string,
	command func(redis.Pipeliner, context.Context, string) *redis.StringCmd,
) ([][]byte, error) {
	replies := make([]*redis.StringCmd, len(keys))
	// The error returned is that of the first reply which has one; all are checked below.
	_, _ = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			replies[i] = command(p, ctx, key)
		}
		return nil
	})
	stored := make([][]byte, len(keys))
	for i, reply := range replies {
		var err error
		if stored[i], err = reply.Bytes(); err != nil && !isAbsent(err) {
			return nil, s.wrapError(ctx, operation, err)
		}
	}
	return stored, nil
}
