package tests_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// ownedBy returns a name whose slot the master of that number has.
func ownedBy(set *testserver.ClusterSet, master int, prefix, name string) string {
	for n := 0; ; n++ {
		if candidate := fmt.Sprint(name, n); set.Owner(prefix+candidate) == master {
			return candidate
		}
	}
}

// TestClusterAnySlot has sessions and indexes on every combination of masters.
func TestClusterAnySlot(t *testing.T) {
	t.Parallel()
	set := testserver.Shared(t, testserver.RedisCluster{})
	_, s := cluster(t).open(t)
	prefix := key("")
	var all []string
	for of := range set.Masters {
		subject := ownedBy(set, of, redisstore.DefaultIndexPrefix, testserver.Name())
		var keys []string
		for on := range set.Masters {
			rec := mustSave(t, s, recordFor(prefix+ownedBy(set, on, prefix, fmt.Sprint(of)), subject))
			rec = mustSave(t, s, rec)
			if err := s.Touch(t.Context(), later(rec)); err != nil {
				t.Errorf("Touch = %v", err)
			}
			keys = append(keys, rec.Key)
		}
		belongs(t, s, subject, keys...)
		all = append(all, keys...)
		mustDelete(t, s, keys[0])
		belongs(t, s, subject, keys[1:]...)
		mustSave(t, s, recordFor(keys[0], subject))
	}
	listed := make(map[string]bool)
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, next, err := s.List(t.Context(), prefix, cursor, 5)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range page {
			listed[rec.Key] = true
		}
		cursor = next
	}
	if len(listed) != len(all) {
		t.Errorf("List found %d records, want %d", len(listed), len(all))
	}
}

// failover makes a store on a set of servers, lets fault take the master away, and waits until writes work again.
func failover(t *testing.T, s *redisstore.Store, rec store.Record, fault func()) {
	t.Helper()
	dead := mustSave(t, s, record(rec.Key+"dead"))
	mustDelete(t, s, dead.Key)
	writeThrough(t, s, true, func() {
		fault()
		start := time.Now()
		eventually(t, "writes do not go on after the failover", func() bool {
			return within(t, time.Second, func(ctx context.Context) error {
				saved, err := s.Save(ctx, rec)
				switch {
				case err == nil, errors.Is(err, store.ErrConflict): // an attempt without an answer was stored
					rec = saved
				case errors.Is(err, store.ErrNotFound):
					t.Errorf("Save = %v, but the record had been replicated", err)
				}
				return err
			}) == nil
		})
		t.Logf("writes go on after %v", time.Since(start))
	})
	if _, err := s.Load(t.Context(), dead.Key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of a deleted record = %v, want ErrNotFound", err)
	}
	belongs(t, s, rec.Subject, rec.Key)
	recovers(t, s)
}

// replicated waits until a server's writes have reached its replica.
func replicated(t *testing.T, server *testserver.Server) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	closing(t, client)
	if n, err := client.Wait(t.Context(), 1, 5*time.Second).Result(); err != nil || n != 1 {
		t.Fatalf("the replica has not followed: %d, %v", n, err)
	}
}

// TestO5ClusterFailover kills a master. The client asks for the state of the cluster once an hour, so that the store has to
// make it ask.
func TestO5ClusterFailover(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, valkey bool) {
		t.Helper()
		clusterFailover(t, testserver.Start(t, testserver.RedisCluster{Replicas: true, Valkey: valkey}))
	})
}

// eachServer runs a test on Redis and on Valkey.
func eachServer(t *testing.T, test func(t *testing.T, valkey bool)) {
	t.Helper()
	for name, valkey := range map[string]bool{"Redis": false, "Valkey": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, valkey)
		})
	}
}

func clusterFailover(t *testing.T, set *testserver.ClusterSet) {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: set.Addrs(), ContextTimeoutEnabled: true, PoolSize: 16, ClusterStateReloadInterval: time.Hour,
	})
	closing(t, client)
	s := newStore(t, client)
	rec := mustSave(t, s, recordFor(ownedBy(set, 0, "", "known"), ownedBy(set, 1, redisstore.DefaultIndexPrefix, "known")))
	page, cursor, err := s.List(t.Context(), "", "", 1)
	if err != nil || cursor == "" {
		t.Fatalf("List = %d records, %q, %v", len(page), cursor, err)
	}
	replicated(t, set.Masters[0])
	failover(t, s, rec, func() { set.Masters[0].Kill(t) })
	if _, _, err := s.List(t.Context(), "", cursor, 1); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Errorf("List with a cursor from before the failover = %v, want an error that says to start again", err)
	}
}

func TestO5SentinelFailover(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, valkey bool) {
		t.Helper()
		sentinelFailover(t, testserver.Start(t, testserver.RedisSentinel{Password: "secret", Valkey: valkey}))
	})
}

func sentinelFailover(t *testing.T, set *testserver.SentinelSet) {
	t.Helper()
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: testserver.SentinelMaster, SentinelAddrs: set.Addrs(), Password: "secret", ContextTimeoutEnabled: true, PoolSize: 16,
	})
	closing(t, client)
	s := newStore(t, client)
	rec := mustSave(t, s, recordFor("known", "somebody-known"))
	failover(t, s, rec, func() { set.Master.Kill(t) })
}

// TestNewRefusesReplica has clients of a replica: by the client's choice, and by its address.
func TestNewRefusesReplica(t *testing.T) {
	t.Parallel()
	set := testserver.Start(t, testserver.RedisSentinel{Password: "secret"})
	sentinel := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: testserver.SentinelMaster, SentinelAddrs: set.Addrs(), Password: "secret", ContextTimeoutEnabled: true,
		ReplicaOnly: true,
	})
	closing(t, sentinel)
	for name, client := range map[string]redis.UniversalClient{
		"ReplicaOnly": sentinel, "address": nodeClient(t, set.Replica, "secret"),
	} {
		s, err := newFor(client, false)
		if s != nil || err == nil || !strings.HasPrefix(err.Error(), "sessions: redisstore: ") || !strings.Contains(err.Error(), "ReplicaOnly off") {
			t.Errorf("%s: New = %v, want an error that says what to change", name, err)
		}
	}
}

// TestO5ClusterPaused has a master that stands still: what it has is not to be had, and the others go on.
func TestO5ClusterPaused(t *testing.T) {
	t.Parallel()
	set := testserver.Start(t, testserver.RedisCluster{})
	p := place{Where: strings.Join(set.Addrs(), ","), Cluster: true}
	_, s := p.open(t)
	lost := mustSave(t, s, record(ownedBy(set, 0, "", "lost")))
	set.Masters[0].Pause(t)
	promptly(t, func() {
		for _, call := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := s.Load(ctx, lost.Key); return err },
			func(ctx context.Context) error { _, err := s.Save(ctx, lost); return err },
			func(ctx context.Context) error { return s.Delete(ctx, lost.Key) },
			func(ctx context.Context) error { return s.Touch(ctx, later(lost)) },
		} {
			err := within(t, 300*time.Millisecond, call)
			if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
				t.Errorf("a call while its server stands still = %v, want a failure", err)
			}
		}
	})
	set.Masters[0].Resume(t)
	recovers(t, s)
}
