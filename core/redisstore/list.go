package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/store"
)

// Where most of the database is not sessions, a page without one is scanned on, so often at most, and with steps of up to
// so many keys: a server does nothing else meanwhile.
const (
	scansPerPage = 32
	maxScan      = 1000
)

// position is where a walk is: at a cursor of one of the servers, whose number belongs to a list of servers.
type position struct {
	servers uint32 // a checksum of the list
	server  int
	cursor  uint64
}

// String is what callers see of a position.
func (p position) String() string { return fmt.Sprintf("%08x-%d-%d", p.servers, p.server, p.cursor) }

// List walks the keys with SCAN, one master of a cluster after the other. When a master joins or leaves meanwhile, the
// walk ends in an error and has to start again. After a restart, a failover of Sentinel or a move of slots between the
// same masters it should as well, but does not notice: what a cursor means is up to the server that gave it.
func (s *Store) List(ctx context.Context, prefix, cursor string, limit int) ([]store.Record, string, error) {
	nodes, err := s.nodes(ctx)
	if err != nil {
		return nil, "", err
	}
	at, err := parsePosition(cursor, nodes)
	if err != nil {
		return nil, "", err
	}
	keys, err := scan(ctx, nodes[at.server], &at, prefix, limit)
	if err != nil {
		return nil, "", s.failed(ctx, "list", err)
	}
	all, err := s.loadAll(ctx, keys)
	if err != nil {
		return nil, "", err
	}
	page := slices.DeleteFunc(all, func(rec store.Record) bool { return rec.Version == 0 })
	if at.cursor == 0 {
		at.server++
	}
	if at.server == len(nodes) {
		return page, "", nil
	}
	return page, at.String(), nil
}

// scan returns some keys from a position on and moves it.
func scan(ctx context.Context, node *redis.Client, at *position, prefix string, limit int) (keys []string, err error) {
	pattern, count := escapeGlob(prefix)+"*", int64(max(limit, 1))
	for range scansPerPage {
		keys, at.cursor, err = node.ScanType(ctx, at.cursor, pattern, count, "string").Result()
		if err != nil || at.cursor == 0 || len(keys) > 0 {
			break
		}
		count = min(2*count, maxScan)
	}
	slices.Sort(keys)
	return slices.Compact(keys), err // a key may come twice
}

// escapeGlob takes their meaning from the characters that SCAN's patterns give one.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// parsePosition returns the position that a cursor stands for, "" for the first one.
func parsePosition(cursor string, nodes []*redis.Client) (position, error) {
	sum := crc32.NewIEEE()
	for _, node := range nodes {
		_, _ = fmt.Fprintln(sum, node.Options().Addr)
	}
	first := position{servers: sum.Sum32()}
	if cursor == "" {
		return first, nil
	}
	var at position
	_, err := fmt.Sscanf(cursor, "%08x-%d-%d", &at.servers, &at.server, &at.cursor)
	if err != nil || at.String() != cursor {
		return position{}, fmt.Errorf("redis: list: %q is not a cursor of this store", cursor)
	}
	if at.servers != first.servers || at.server < 0 || at.server >= len(nodes) {
		return position{}, errors.New("redis: list: the servers of the cluster have changed: start again without a cursor")
	}
	return at, nil
}

// nodes returns the servers that hold keys, in an order that all calls share.
func (s *Store) nodes(ctx context.Context) ([]*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.Client:
		return []*redis.Client{c}, nil
	case *redis.ClusterClient:
		return s.masters(ctx, c)
	}
	// Only the clients of the library tell which servers they know.
	return nil, fmt.Errorf("redis: list with a %T: %w", s.client, errors.ErrUnsupported)
}

func (s *Store) masters(ctx context.Context, cluster *redis.ClusterClient) ([]*redis.Client, error) {
	var mu sync.Mutex
	var nodes []*redis.Client
	err := cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, c)
		return nil
	})
	if err == nil && len(nodes) == 0 {
		err = errors.New("the cluster has no masters")
	}
	if err != nil {
		return nil, s.failed(ctx, "list", err)
	}
	slices.SortFunc(nodes, func(a, b *redis.Client) int { return cmp.Compare(a.Options().Addr, b.Options().Addr) })
	return nodes, nil
}
