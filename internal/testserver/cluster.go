package testserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	clusterSlots   = 16384
	clusterMasters = 3
	clusterFile    = "nodes.conf"
)

// RedisCluster is the [Spec] of a cluster of three masters.
type RedisCluster struct {
	Valkey   bool
	Replicas bool   // One replica for each master, which takes over about two seconds after its end.
	Password string // Of every node.
}

// ClusterSet is a running RedisCluster. Replicas, if any, are in the order of their masters.
type ClusterSet struct {
	Masters, Replicas []*Server

	spec Redis
}

// Addrs returns the addresses of all nodes, masters first.
func (c *ClusterSet) Addrs() []string { return append(addrs(c.Masters), addrs(c.Replicas)...) }

// Owner returns the index of the master that owned the key when the cluster started.
func (c *ClusterSet) Owner(key string) int {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if end := strings.IndexByte(key[open+1:], '}'); end > 0 {
			key = key[open+1 : open+1+end]
		}
	}
	slot := int(crc16(key)) % clusterSlots
	for i := range clusterMasters {
		if from, to := slots(i); slot >= from && slot < to {
			return i
		}
	}
	panic("unreachable: the masters own all slots")
}

// start implements Spec.
func (r RedisCluster) start(ctx context.Context, h *host) (*ClusterSet, error) {
	set := &ClusterSet{spec: Redis{Valkey: r.Valkey, Password: r.Password}}
	var err error
	if set.Masters, err = startMembers(ctx, h, set.spec); err != nil {
		return nil, err
	}
	if r.Replicas {
		if set.Replicas, err = startMembers(ctx, h, set.spec); err != nil {
			return nil, err
		}
	}
	if err := set.join(ctx); err != nil {
		return nil, err
	}
	if err := set.replicate(ctx); err != nil {
		return nil, err
	}
	return set, poll(ctx, func() error { return set.ready(ctx) })
}

// startMembers starts three nodes that know nothing of each other.
func startMembers(ctx context.Context, h *host, spec Redis) ([]*Server, error) {
	var members []*Server
	for range clusterMasters {
		// The bus would listen at the port plus 10000, where somebody else may be.
		bus, err := reservePort(ctx)
		if err != nil {
			return nil, err
		}
		s, err := startNode(ctx, h, spec, fmt.Sprintf(
			"cluster-enabled yes\ncluster-port %d\ncluster-node-timeout 1000\ncluster-config-file %s", bus.number, clusterFile))
		if err != nil {
			bus.release()
			return nil, err
		}
		s.bus = bus
		members = append(members, s)
	}
	return members, nil
}

// slots returns the range of slots of a master.
func slots(i int) (from, to int) {
	return i * clusterSlots / clusterMasters, (i + 1) * clusterSlots / clusterMasters
}

// join deals the slots and introduces all nodes to each other.
func (c *ClusterSet) join(ctx context.Context) error {
	for i, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		// Without an epoch of its own each, nodes sort that out among themselves, which takes time.
		if err := ask(ctx, s, c.spec, fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1)); err != nil {
			return err
		}
		if i < clusterMasters {
			if err := ask(ctx, s, c.spec, "CLUSTER ADDSLOTS "+slotList(i)); err != nil {
				return err
			}
		}
		meet := fmt.Sprintf("CLUSTER MEET %s %d", hostPort(s), s.bus.number)
		if err := ask(ctx, c.Masters[0], c.spec, meet); err != nil {
			return err
		}
	}
	return nil
}

// slotList names each slot of a master: older servers know no ranges.
func slotList(i int) string {
	var list []string
	from, to := slots(i)
	for slot := from; slot < to; slot++ {
		list = append(list, strconv.Itoa(slot))
	}
	return strings.Join(list, " ")
}

// replicate gives each replica its master, as soon as it has heard of it.
func (c *ClusterSet) replicate(ctx context.Context) error {
	for i, s := range c.Replicas {
		id, err := c.id(ctx, c.Masters[i])
		if err != nil {
			return err
		}
		err = poll(ctx, func() error { return ask(ctx, s, c.spec, "CLUSTER REPLICATE "+id) })
		if err != nil {
			return err
		}
	}
	return nil
}

// id returns a node's name within the cluster.
func (c *ClusterSet) id(ctx context.Context, s *Server) (string, error) {
	conn, err := (&redisNode{spec: c.spec}).dial(ctx, s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return conn.do("CLUSTER", "MYID")
}

// ready fails until every node sees the whole cluster, replicas in their role and in step.
func (c *ClusterSet) ready(ctx context.Context) error {
	size := fmt.Sprintf("cluster_known_nodes:%d", len(c.Masters)+len(c.Replicas))
	for _, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		if err := ask(ctx, s, c.spec, "CLUSTER INFO", "cluster_state:ok", "cluster_slots_ok:16384", size); err != nil {
			return err
		}
		for _, replica := range c.Replicas {
			if err := c.seenAsReplica(ctx, s, replica); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Replicas {
		if err := ask(ctx, s, c.spec, "INFO replication", "master_link_status:up"); err != nil {
			return err
		}
	}
	return c.settled()
}

// seenAsReplica fails unless s knows that the other node is a replica.
func (c *ClusterSet) seenAsReplica(ctx context.Context, s, replica *Server) error {
	conn, err := (&redisNode{spec: c.spec}).dial(ctx, s.addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	nodes, err := conn.do("CLUSTER", "NODES")
	if err != nil {
		return err
	}
	for line := range strings.Lines(nodes) {
		if strings.Contains(line, replica.addr+"@") && strings.Contains(line, "slave") {
			return nil
		}
	}
	return fmt.Errorf("%s does not know the replica %s", s.addr, replica.addr)
}

// settled fails while nodes have written down different shards for a node. They learn of shards some time after they have
// learnt of replicas, and one that is ended in between may refuse to start again: its file is corrupted, it says.
func (c *ClusterSet) settled() error {
	shards := map[string]string{}
	for _, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		text, err := os.ReadFile(filepath.Join(s.program.dir, clusterFile))
		if err != nil {
			return err
		}
		for node, shard := range shardsIn(string(text)) {
			if known, ok := shards[node]; ok && known != shard {
				return fmt.Errorf("%s has node %s in shard %q, another one in %q", s.addr, node, shard, known)
			}
			shards[node] = shard
		}
	}
	return nil
}

// shardsIn returns the shard of each node in the configuration that a node has written down. Servers before
// 7.2 know none.
func shardsIn(config string) map[string]string {
	shards := map[string]string{}
	for line := range strings.Lines(config) {
		// The node, its address with names and shard, flags, the node's master.
		if f := strings.Fields(line); len(f) > 3 {
			_, shard, _ := strings.Cut(f[1], "shard-id=")
			shards[f[0]], _, _ = strings.Cut(shard, ",")
		}
	}
	return shards
}

// crc16 is the checksum that distributes keys over slots (CCITT, XMODEM).
func crc16(key string) uint16 {
	const polynomial = 0x1021
	var sum uint16
	for i := range len(key) {
		sum ^= uint16(key[i]) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= polynomial
			}
		}
	}
	return sum
}
