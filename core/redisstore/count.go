package redisstore

import (
	"context"
	"hash/maphash"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Count returns how many sessions have keys that start with prefix. It walks over all keys,
// like List, and reads the header of each session. Unlike List it counts a session whose value
// is damaged after the header.
//
// Count remembers eight bytes per session until it returns, because SCAN may return a key more
// than once.
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	nodes, err := s.nodes(ctx)
	if err != nil {
		return 0, err
	}
	c := &keyCounter{store: s, seed: maphash.MakeSeed(), seen: make(map[uint64]struct{})}
	for _, node := range nodes {
		if err := c.countNode(ctx, node, prefix); err != nil {
			return 0, err
		}
	}
	return len(c.seen), nil
}

// keyCounter counts sessions, each once.
type keyCounter struct {
	store *Store
	seed  maphash.Seed
	seen  map[uint64]struct{} // 64-bit hashes of the sessions' keys, assumed to be distinct
}

// countNode counts the sessions on one server.
func (c *keyCounter) countNode(ctx context.Context, node *redis.Client, prefix string) error {
	for pos := (position{}); ; {
		keys, err := scan(ctx, node, &pos, prefix, maxKeysPerScan)
		if err != nil {
			return c.store.wrapError(ctx, "count", err)
		}
		if err := c.add(ctx, keys); err != nil || pos.scanCursor == 0 {
			return err
		}
	}
}

// add counts the sessions under keys.
func (c *keyCounter) add(ctx context.Context, keys []string) error {
	for batch := range slices.Chunk(keys, batchSize) {
		live, err := c.store.areLive(ctx, batch)
		if err != nil {
			return err
		}
		for i, key := range batch {
			if live[i] {
				c.seen[maphash.String(c.seed, key)] = struct{}{}
			}
		}
	}
	return nil
}
