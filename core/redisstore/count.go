package redisstore

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count walks the keys as List does, and of each session asks for its header: what is damaged behind that counts.
// SCAN may return a key more than once, so eight bytes of each are remembered until the end.
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	nodes, err := s.nodes(ctx)
	if err != nil {
		return 0, err
	}
	c := &census{store: s, seed: maphash.MakeSeed(), seen: make(map[uint64]struct{})}
	for _, node := range nodes {
		if err := c.walk(ctx, node, prefix); err != nil {
			return 0, err
		}
	}
	return len(c.seen), nil
}

// census is a count under way.
type census struct {
	store *Store
	seed  maphash.Seed
	seen  map[uint64]struct{} // hashes of the sessions' keys; of 64 bits, so that no two are the same
}

// walk counts the sessions on one server.
func (c *census) walk(ctx context.Context, node *redis.Client, prefix string) error {
	for at := (position{}); ; {
		keys, err := scan(ctx, node, &at, prefix, maxScan)
		if err != nil {
			return c.store.failed(ctx, "count", err)
		}
		if err := c.add(ctx, keys); err != nil || at.cursor == 0 {
			return err
		}
	}
}

// add counts the keys that hold a session and were not counted before.
func (c *census) add(ctx context.Context, keys []string) error {
	for some := range slices.Chunk(keys, batch) {
		live, err := c.store.alive(ctx, some)
		if err != nil {
			return err
		}
		for i, key := range some {
			if live[i] {
				c.seen[maphash.String(c.seed, key)] = struct{}{}
			}
		}
	}
	return nil
}

// alive reports which of the keys hold a session, in one pipeline.
func (s *Store) alive(ctx context.Context, keys []string) ([]bool, error) {
	stored, err := s.fetch(ctx, "count", keys, func(p redis.Pipeliner, ctx context.Context, key string) *redis.StringCmd {
		return p.GetRange(ctx, key, 0, int64(headerSize-1)) // the data may be long
	})
	if err != nil {
		return nil, err
	}
	live, now := make([]bool, len(keys)), time.Now()
	for i := range stored {
		rec, ok := header(stored[i])
		live[i] = ok && !rec.Expired(now)
	}
	return live, nil
}
