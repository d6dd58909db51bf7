package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dialSpec connects to a Redis as its spec says.
func dialSpec(t *testing.T, spec Redis, s *Server) *redisConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	n := &redisNode{spec: spec, client: s.TLS()}
	c, err := n.dial(ctx, s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func mustDo(t *testing.T, c *redisConn, args ...string) string {
	t.Helper()
	reply, err := c.do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

func TestRedisAccess(t *testing.T) {
	t.Parallel()
	spec := Redis{User: "app", Password: "pw", Rules: "~session:* +get +set"}
	s := Start(t, spec)
	if want := "redis://app:pw@" + s.Addr() + "/0"; s.URL() != want {
		t.Errorf("URL = %s, want %s", s.URL(), want)
	}
	c := dialSpec(t, spec, s)
	mustDo(t, c, "SET", "session:1", "x")
	if _, err := c.do("SET", "other", "x"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("SET outside of the rules: %v", err)
	}
	anonymous := dialSpec(t, Redis{}, s)
	if _, err := anonymous.do("GET", "session:1"); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("GET without a user: %v", err)
	}
	if _, err := anonymous.do("AUTH", "app", "wrong"); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("AUTH with a wrong password: %v", err)
	}
}

func TestRedisTLSOnly(t *testing.T) {
	t.Parallel()
	s := Start(t, Redis{TLS: true})
	if !strings.HasPrefix(s.URL(), "rediss://") {
		t.Errorf("URL = %s", s.URL())
	}
	mustDo(t, dialSpec(t, Redis{}, s), "PING")
	if err := (&redisNode{}).program().ping(t.Context(), s.Addr()); err == nil {
		t.Error("the server answered without TLS")
	}
}

func TestRedisMemoryLimit(t *testing.T) {
	t.Parallel()
	s := Start(t, Redis{MaxMemory: "3mb"})
	c := dialSpec(t, Redis{}, s)
	value := strings.Repeat("x", 100_000)
	for i := range 100 {
		if _, err := c.do("SET", fmt.Sprint(i), value); err != nil {
			if !strings.Contains(err.Error(), "OOM") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("10 MB went into 3")
}

func TestRedisAppendOnlySurvivesKill(t *testing.T) {
	t.Parallel()
	for _, durable := range []bool{true, false} {
		spec := Redis{AppendOnly: durable}
		s := Start(t, spec)
		mustDo(t, dialSpec(t, spec, s), "SET", "key", "value")
		s.Kill(t)
		s.Restart(t)
		if got := mustDo(t, dialSpec(t, spec, s), "GET", "key"); (got == "value") != durable {
			t.Errorf("AppendOnly %t: GET after kill and restart = %q", durable, got)
		}
	}
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for _, spec := range []RedisSentinel{{Password: "secret"}, {Valkey: true}} {
		t.Run(fmt.Sprintf("%+v", spec), func(t *testing.T) {
			t.Parallel()
			data := Redis{Password: spec.Password}
			set := Start(t, spec)
			c := dialSpec(t, data, set.Master)
			mustDo(t, c, "SET", "key", "value")
			mustDo(t, c, "WAIT", "1", "10000")
			set.Master.Kill(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			want := strings.Replace(set.Replica.Addr(), ":", "\n", 1)
			err := poll(ctx, func() error {
				return expectReply(ctx, set.Sentinels[0], Redis{}, "SENTINEL GET-MASTER-ADDR-BY-NAME "+SentinelMaster, want)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := mustDo(t, dialSpec(t, data, set.Replica), "GET", "key"); got != "value" {
				t.Errorf("GET on the promoted replica = %q", got)
			}
		})
	}
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	for _, spec := range []RedisCluster{{Replicas: true, Password: "secret"}, {Replicas: true, Valkey: true}} {
		t.Run(fmt.Sprintf("%+v", spec), func(t *testing.T) {
			t.Parallel()
			set := Start(t, spec)
			if len(set.Addrs()) != 6 {
				t.Fatalf("nodes at %q", set.Addrs())
			}
			owner := set.Owner("key")
			c := dialSpec(t, set.spec, set.Masters[owner])
			mustDo(t, c, "SET", "key", "value")
			mustDo(t, c, "WAIT", "1", "10000")
			set.Masters[owner].Kill(t)
			replica := dialSpec(t, set.spec, set.Replicas[owner])
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := poll(ctx, func() error { return replica.expect("GET key", "value") })
			if err != nil {
				t.Fatal(err)
			}
			set.Masters[owner].Restart(t)
		})
	}
}

// TestClusterSettles has three nodes of which the last learns late in which shard the first
// one is.
func TestClusterSettles(t *testing.T) {
	t.Parallel()
	set := &ClusterSet{}
	write := func(node int, config string) {
		if err := os.WriteFile(filepath.Join(set.Masters[node].program.dir, clusterFile), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first, second, vars = "a 127.0.0.1:1@2,,tls-port=0,shard-id=%s master - 0 0 1 connected 0-5460\n",
		"b 127.0.0.1:3@4,,shard-id=x,tls-port=0 slave a 0 0 1 connected\n", "vars currentEpoch 6 lastVoteEpoch 0\n"
	for node := range clusterMasters {
		set.Masters = append(set.Masters, &Server{program: program{dir: t.TempDir()}})
		write(node, fmt.Sprintf(first, "x")+second+vars)
	}
	if err := set.shardsAgree(); err != nil {
		t.Error(err)
	}
	write(2, fmt.Sprintf(first, "z")+second+vars)
	if err := set.shardsAgree(); err == nil {
		t.Error("nodes that disagree pass for settled")
	}
	for node := range clusterMasters {
		write(node, "a 127.0.0.1:1@2 master - 0 0 1 connected 0-5460\n"+vars)
	}
	if err := set.shardsAgree(); err != nil {
		t.Error("without shards:", err)
	}
}

func TestClusterOfMasters(t *testing.T) {
	t.Parallel()
	set := Shared(t, RedisCluster{})
	for _, key := range []string{"a", "b", "c", "{tag}a", "x{tag}", "{}a", "{"} {
		for i, s := range set.Masters {
			_, err := dialSpec(t, Redis{}, s).do("SET", key, "x")
			if moved := err != nil && strings.HasPrefix(errors.Unwrap(err).Error(), "MOVED"); moved == (i == set.Owner(key)) {
				t.Errorf("key %q at master %d: %v; Owner = %d", key, i, err, set.Owner(key))
			}
		}
	}
}
