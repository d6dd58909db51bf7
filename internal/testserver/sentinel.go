package testserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// SentinelMaster is the name under which sentinels know their master.
const SentinelMaster = "mymaster"

const sentinels = 3

// RedisSentinel is the [Spec] of a master, its replica and three sentinels that watch them.
type RedisSentinel struct {
	Valkey   bool
	Password string // Of master and replica; the sentinels have none.
}

// SentinelSet is a running RedisSentinel. After Master.Kill, the replica is promoted within a few seconds.
type SentinelSet struct {
	Master, Replica *Server
	Sentinels       []*Server
}

// Addrs returns the addresses of the sentinels.
func (s *SentinelSet) Addrs() []string { return addrs(s.Sentinels) }

// start implements Spec.
func (r RedisSentinel) start(ctx context.Context, h *host) (*SentinelSet, error) {
	data := Redis{Valkey: r.Valkey, Password: r.Password}
	master, err := startNode(ctx, h, data, "")
	if err != nil {
		return nil, err
	}
	replica, err := startNode(ctx, h, data, "replicaof "+hostPort(master))
	if err != nil {
		return nil, err
	}
	set := &SentinelSet{Master: master, Replica: replica}
	for range sentinels {
		s, err := startNode(ctx, h, Redis{Valkey: r.Valkey}, r.config(master), "--sentinel")
		if err != nil {
			return nil, err
		}
		set.Sentinels = append(set.Sentinels, s)
	}
	return set, poll(ctx, func() error { return set.ready(ctx, data) })
}

// config returns what a sentinel must know.
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

// ready fails until the replica follows and all sentinels know of each other and of it: before, a failover would not work.
func (s *SentinelSet) ready(ctx context.Context, data Redis) error {
	if err := ask(ctx, s.Replica, data, "INFO replication", "master_link_status:up"); err != nil {
		return err
	}
	for _, sentinel := range s.Sentinels {
		err := ask(ctx, sentinel, Redis{}, "SENTINEL MASTER "+SentinelMaster,
			"\nflags\nmaster\n", "\nnum-slaves\n1\n", fmt.Sprintf("\nnum-other-sentinels\n%d\n", sentinels-1))
		if err != nil {
			return err
		}
	}
	return nil
}

// startNode starts one process of a set; extra is its configuration beyond the spec.
func startNode(ctx context.Context, h *host, spec Redis, extra string, flags ...string) (*Server, error) {
	n, err := newRedisNode(h, spec)
	if err != nil {
		return nil, err
	}
	n.extra, n.flags = extra, flags
	s, err := launch(ctx, h, n.program())
	if err != nil {
		return nil, err
	}
	n.describe(s)
	return s, nil
}

// ask sends one command to a node and fails unless the reply contains every text.
func ask(ctx context.Context, s *Server, spec Redis, command string, texts ...string) error {
	c, err := (&redisNode{spec: spec}).dial(ctx, s.addr)
	if err != nil {
		return err
	}
	if err := c.expect(command, texts...); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", s.addr, err), c.Close())
	}
	return c.Close()
}

// hostPort returns the address as Redis's configuration and commands want it.
func hostPort(s *Server) string { return strings.Replace(s.addr, ":", " ", 1) }

func addrs(servers []*Server) []string {
	all := make([]string, 0, len(servers))
	for _, s := range servers {
		all = append(all, s.addr)
	}
	return all
}
