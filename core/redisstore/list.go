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

// A page continues to scan while it has no keys, since most of the database may not be
// sessions. Both the number of scans and the keys per scan are bounded; a server does nothing
// else during a scan.
const (
	maxScansPerPage = 32
	maxKeysPerScan  = 1000
)

// position is how far a walk over all keys has come.
type position struct {
	nodesSum   uint32 // a checksum of the list of nodes
	node       int    // an index of that list
	scanCursor uint64 // of SCAN on that node
}

// String returns the position as the cursor that List returns.
func (p position) String() string {
	return fmt.Sprintf("%08x-%d-%d", p.nodesSum, p.node, p.scanCursor)
}

// List returns a page of the records whose keys start with prefix. It uses SCAN, on one master
// of a cluster after the other.
//
// If a master joins or leaves the cluster, the next call returns an error and the walk has to
// start again. It also has to start again after a restart, after a failover by Sentinel and
// after slots have moved between the same masters. The store does not notice those, because
// the meaning of a cursor is known only to the server that returned it.
//
// With a client that does not come from go-redis, List returns [errors.ErrUnsupported].
func (s *Store) List(
	ctx context.Context, prefix, cursor string, limit int,
) ([]store.Record, string, error) {
	nodes, err := s.nodes(ctx)
	if err != nil {
		return nil, "", err
	}
	pos, err := parsePosition(cursor, nodes)
	if err != nil {
		return nil, "", err
	}
	keys, err := scan(ctx, nodes[pos.node], &pos, prefix, limit)
	if err != nil {
		return nil, "", s.wrapError(ctx, "list", err)
	}
	all, err := s.loadAll(ctx, keys)
	if err != nil {
		return nil, "", err
	}
	page := slices.DeleteFunc(all, func(rec store.Record) bool { return rec.Version == 0 })
	if pos.scanCursor == 0 {
		pos.node++
	}
	if pos.node == len(nodes) {
		return page, "", nil
	}
	return page, pos.String(), nil
}

// scan returns some of the keys from pos on, and advances pos.
func scan(
	ctx context.Context, node *redis.Client, pos *position, prefix string, limit int,
) (keys []string, err error) {
	pattern, count := escapeGlob(prefix)+"*", int64(max(limit, 1))
	for range maxScansPerPage {
		reply := node.ScanType(ctx, pos.scanCursor, pattern, count, "string")
		keys, pos.scanCursor, err = reply.Result()
		if err != nil || pos.scanCursor == 0 || len(keys) > 0 {
			break
		}
		count = min(2*count, maxKeysPerScan)
	}
	slices.Sort(keys)
	return slices.Compact(keys), err // SCAN may return a key twice
}

// escapeGlob escapes the characters that have a meaning in a pattern of SCAN.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// parsePosition returns the position of a cursor. "" is the first position.
func parsePosition(cursor string, nodes []*redis.Client) (position, error) {
	sum := crc32.NewIEEE()
	for _, node := range nodes {
		_, _ = fmt.Fprintln(sum, node.Options().Addr)
	}
	first := position{nodesSum: sum.Sum32()}
	if cursor == "" {
		return first, nil
	}
	var pos position
	_, err := fmt.Sscanf(cursor, "%08x-%d-%d", &pos.nodesSum, &pos.node, &pos.scanCursor)
	if err != nil || pos.String() != cursor {
		return position{}, fmt.Errorf("redis: list: %q is not a cursor of this store", cursor)
	}
	if pos.nodesSum != first.nodesSum || pos.node < 0 || pos.node >= len(nodes) {
		return position{}, errors.New("redis: list: the servers of the cluster have changed: " +
			"start again without a cursor")
	}
	return pos, nil
}

// nodes returns a client for each server that holds keys, always in the same order.
func (s *Store) nodes(ctx context.Context) ([]*redis.Client, error) {
	switch c := s.client.(type) {
	case *redis.Client:
		return []*redis.Client{c}, nil
	case *redis.ClusterClient:
		return s.masters(ctx, c)
	}
	return nil, fmt.Errorf("redis: list with a %T: %w", s.client, errors.ErrUnsupported)
}

// masters returns a client for each master of a cluster, in the order of their addresses.
func (s *Store) masters(
	ctx context.Context, cluster *redis.ClusterClient,
) ([]*redis.Client, error) {
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
		return nil, s.wrapError(ctx, "list", err)
	}
	slices.SortFunc(nodes, func(a, b *redis.Client) int {
		return cmp.Compare(a.Options().Addr, b.Options().Addr)
	})
	return nodes, nil
}
