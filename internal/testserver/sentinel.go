package testserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SentinelMaster is the name of the master that the sentinels watch.
const SentinelMaster = "mymaster"

const sentinels = 3

// RedisSentinel is the [Spec] of a master, its replica and three sentinels that watch them.
type RedisSentinel struct {
	Valkey   bool
	Password string // of master and replica; the sentinels have none
}

// SentinelSet is a running RedisSentinel. A few seconds after Master.Kill, the replica is
// promoted.
type SentinelSet struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// Addrs returns the addresses of the sentinels.
func (s *SentinelSet) Addrs() []string { return addresses(s.Sentinels) }

// start implements Spec.
func (r RedisSentinel) start(ctx context.Context, g *serverGroup) (*SentinelSet, error) {
	data := Redis{Valkey: r.Valkey, Password: r.Password}
	master, err := startNode(ctx, g, data, "")
	if err != nil {
		return nil, err
	}
	replica, err := startNode(ctx, g, data, "replicaof "+hostPort(master))
	if err != nil {
		return nil, err
	}
	set := &SentinelSet{Master: master, Replica: replica}
	for range sentinels {
		s, err := startNode(ctx, g, Redis{Valkey: r.Valkey}, r.config(master), "--sentinel")
		if err != nil {
			return nil, err
		}
		set.Sentinels = append(set.Sentinels, s)
	}
	return set, poll(ctx, func() error { return set.ready(ctx, data) })
}

// config returns the configuration of a sentinel.
func (r RedisSentinel) config(master *Server) string {
	lines := []string{
		fmt.Sprintf("sentinel monitor %s %s 2", SentinelMaster, hostPort(master)),
		fmt.Sprintf("sentinel down-after-milliseconds %s 1000", SentinelMaster),
		fmt.Sprintf("sentinel failover-timeout %s 5000", SentinelMaster),
	}
	if r.Password != "" {
		lines = append(lines, fmt.Sprintf("sentinel auth-pass %s %s", SentinelMaster, r.Password))
	}
	return strings.Join(lines, "\n")
}

// ready returns an error until the replica is in sync and all sentinels know it and each
// other. A failover does not work before.
func (s *SentinelSet) ready(ctx context.Context, data Redis) error {
	err := expectReply(ctx, s.Replica, data, "INFO replication", "master_link_status:up")
	if err != nil {
		return err
	}
	for _, sentinel := range s.Sentinels {
		err := expectReply(ctx, sentinel, Redis{}, "SENTINEL MASTER "+SentinelMaster,
			"\nflags\nmaster\n", "\nnum-slaves\n1\n",
			fmt.Sprintf("\nnum-other-sentinels\n%d\n", sentinels-1))
		if err != nil {
			return err
		}
	}
	return nil
}

// startNode starts one process of a set. The argument extra is appended to the configuration
// that the spec describes.
func startNode(
	ctx context.Context, g *serverGroup, spec Redis, extra string, flags ...string,
) (*Server, error) {
	n, err := newRedisNode(g, spec)
	if err != nil {
		return nil, err
	}
	n.extra, n.flags = extra, flags
	s, err := launch(ctx, g, n.program())
	if err != nil {
		return nil, err
	}
	n.describe(s)
	return s, nil
}

// expectReply sends one command to a node and returns an error unless the reply contains every
// text.
func expectReply(
	ctx context.Context, s *Server, spec Redis, command string, texts ...string,
) error {
	c, err := (&redisNode{spec: spec}).dial(ctx, s.addr)
	if err != nil {
		return err
	}
	if err := c.expect(command, texts...); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", s.addr, err), c.Close())
	}
	return c.Close()
}

// hostPort returns the address in the form of Redis's configuration and commands: host, space,
// port.
func hostPort(s *Server) string { return strings.Replace(s.addr, ":", " ", 1) }

func addresses(servers []*Server) []string {
	all := make([]string, 0, len(servers))
	for _, s := range servers {
		all = append(all, s.addr)
	}
	return all
}
