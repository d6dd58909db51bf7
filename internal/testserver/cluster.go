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
	Replicas bool   // one for each master, which takes over about two seconds after its end
	Password string // of every node
}

// ClusterSet is a running RedisCluster. Replicas, if there are any, are in the order of their
// masters.
type ClusterSet struct {
	Masters, Replicas []*Server

	spec Redis
}

// Addrs returns the addresses of all nodes, masters first.
func (c *ClusterSet) Addrs() []string {
	return append(addresses(c.Masters), addresses(c.Replicas)...)
}

// Owner returns the index of the master that owned the key when the cluster started.
func (c *ClusterSet) Owner(key string) int {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if end := strings.IndexByte(key[open+1:], '}'); end > 0 {
			key = key[open+1 : open+1+end]
		}
	}
	slot := int(crc16(key)) % clusterSlots
	for i := range clusterMasters {
		if from, to := slotRange(i); slot >= from && slot < to {
			return i
		}
	}
	panic("unreachable: the masters own all slots")
}

// start implements Spec.
func (r RedisCluster) start(ctx context.Context, g *serverGroup) (*ClusterSet, error) {
	set := &ClusterSet{spec: Redis{Valkey: r.Valkey, Password: r.Password}}
	var err error
	if set.Masters, err = startMembers(ctx, g, set.spec); err != nil {
		return nil, err
	}
	if r.Replicas {
		if set.Replicas, err = startMembers(ctx, g, set.spec); err != nil {
			return nil, err
		}
	}
	if err := set.join(ctx); err != nil {
		return nil, err
	}
	if err := set.assignReplicas(ctx); err != nil {
		return nil, err
	}
	return set, poll(ctx, func() error { return set.ready(ctx) })
}

// startMembers starts three nodes that do not know each other yet.
func startMembers(ctx context.Context, g *serverGroup, spec Redis) ([]*Server, error) {
	var members []*Server
	for range clusterMasters {
		// By default the bus listens at the port plus 10000, which may be taken.
		bus, err := reservePort(ctx)
		if err != nil {
			return nil, err
		}
		const format = "cluster-enabled yes\ncluster-port %d\n" +
			"cluster-node-timeout 1000\ncluster-config-file %s"
		s, err := startNode(ctx, g, spec, fmt.Sprintf(format, bus.number, clusterFile))
		if err != nil {
			bus.release()
			return nil, err
		}
		s.bus = bus
		members = append(members, s)
	}
	return members, nil
}

// slotRange returns the slots of a master: from is the first one, to is one after the last.
func slotRange(i int) (from, to int) {
	return i * clusterSlots / clusterMasters, (i + 1) * clusterSlots / clusterMasters
}

// join assigns the slots to the masters and introduces all nodes to each other.
func (c *ClusterSet) join(ctx context.Context) error {
	for i, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		// Nodes without distinct epochs resolve that among themselves, which takes time.
		epoch := fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1)
		if err := expectReply(ctx, s, c.spec, epoch); err != nil {
			return err
		}
		if i < clusterMasters {
			if err := expectReply(ctx, s, c.spec, "CLUSTER ADDSLOTS "+slotList(i)); err != nil {
				return err
			}
		}
		meet := fmt.Sprintf("CLUSTER MEET %s %d", hostPort(s), s.bus.number)
		if err := expectReply(ctx, c.Masters[0], c.spec, meet); err != nil {
			return err
		}
	}
	return nil
}

// slotList lists the slots of a master one by one, since older servers do not accept ranges.
func slotList(i int) string {
	var list []string
	from, to := slotRange(i)
	for slot := from; slot < to; slot++ {
		list = append(list, strconv.Itoa(slot))
	}
	return strings.Join(list, " ")
}

// assignReplicas assigns each replica to its master, once it knows that master.
func (c *ClusterSet) assignReplicas(ctx context.Context) error {
	for i, s := range c.Replicas {
		id, err := c.nodeID(ctx, c.Masters[i])
		if err != nil {
			return err
		}
		err = poll(ctx, func() error {
			return expectReply(ctx, s, c.spec, "CLUSTER REPLICATE "+id)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nodeID returns the id of a node within the cluster.
func (c *ClusterSet) nodeID(ctx context.Context, s *Server) (string, error) {
	conn, err := (&redisNode{spec: c.spec}).dial(ctx, s.addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return conn.do("CLUSTER", "MYID")
}

// ready returns an error until every node sees the whole cluster and replicas are in sync.
func (c *ClusterSet) ready(ctx context.Context) error {
	want := []string{
		"cluster_state:ok", "cluster_slots_ok:16384",
		fmt.Sprintf("cluster_known_nodes:%d", len(c.Masters)+len(c.Replicas)),
	}
	for _, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		if err := expectReply(ctx, s, c.spec, "CLUSTER INFO", want...); err != nil {
			return err
		}
		for _, replica := range c.Replicas {
			if err := c.knowsReplica(ctx, s, replica); err != nil {
				return err
			}
		}
	}
	for _, s := range c.Replicas {
		err := expectReply(ctx, s, c.spec, "INFO replication", "master_link_status:up")
		if err != nil {
			return err
		}
	}
	return c.shardsAgree()
}

// knowsReplica returns an error unless s knows that the other node is a replica.
func (c *ClusterSet) knowsReplica(ctx context.Context, s, replica *Server) error {
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

// shardsAgree returns an error while the nodes' files disagree about the shard of a node.
// Nodes learn about shards some time after they learn about replicas. One that stops in
// between may refuse to start again, with a message that its file is corrupted.
func (c *ClusterSet) shardsAgree() error {
	shards := map[string]string{}
	for _, s := range append(c.Masters[:clusterMasters:clusterMasters], c.Replicas...) {
		text, err := os.ReadFile(filepath.Join(s.program.dir, clusterFile))
		if err != nil {
			return err
		}
		for node, shard := range shardsIn(string(text)) {
			if known, ok := shards[node]; ok && known != shard {
				const format = "%s has node %s in shard %q, another one in %q"
				return fmt.Errorf(format, s.addr, node, shard, known)
			}
			shards[node] = shard
		}
	}
	return nil
}

// shardsIn returns the shard of each node in the configuration file of a node. Servers before
// 7.2 do not have shards.
func shardsIn(config string) map[string]string {
	shards := map[string]string{}
	for line := range strings.Lines(config) {
		// The fields are the node, its address with names and shard, flags, its master.
		if f := strings.Fields(line); len(f) > 3 {
			_, shard, _ := strings.Cut(f[1], "shard-id=")
			shards[f[0]], _, _ = strings.Cut(shard, ",")
		}
	}
	return shards
}

// crc16 returns the checksum that distributes keys over slots (CCITT, XMODEM).
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
