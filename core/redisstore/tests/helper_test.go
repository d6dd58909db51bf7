package tests_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// place tells a process where a store's data is: a URL, or the addresses of a cluster.
type place struct {
	Where   string
	Cluster bool
}

// client returns a client as the documentation recommends it, but for how often it repeats calls: 0 is its own choice.
func (p place) client(retries int) (redis.UniversalClient, error) {
	if p.Cluster {
		return redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: strings.Split(p.Where, ","), ContextTimeoutEnabled: true, PoolSize: 16, MaxRetries: retries,
		}), nil
	}
	o, err := redis.ParseURL(p.Where)
	if err != nil {
		return nil, err
	}
	o.ContextTimeoutEnabled, o.PoolSize, o.MaxRetries = true, 16, retries
	return redis.NewClient(o), nil
}

// open returns a client that ends with the test, and a store on it.
func (p place) open(tb testing.TB) (redis.UniversalClient, *redisstore.Store) {
	tb.Helper()
	client, err := p.client(0)
	if err != nil {
		tb.Fatal(err)
	}
	closing(tb, client)
	return client, newStore(tb, client)
}

// openAccepting is open for a store that accepts eviction.
func (p place) openAccepting(tb testing.TB) (redis.UniversalClient, *redisstore.Store) {
	tb.Helper()
	client, err := p.client(0)
	if err != nil {
		tb.Fatal(err)
	}
	closing(tb, client)
	s, err := redisstore.New(client, redisstore.Options{AcceptEviction: true})
	if err != nil {
		tb.Fatal(err)
	}
	return client, s
}

func newStore(tb testing.TB, client redis.UniversalClient) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func closing(tb testing.TB, client redis.UniversalClient) {
	tb.Helper()
	tb.Cleanup(func() { _ = client.Close() }) // some tests close it themselves
}

// single is the server that the tests share which do not break it.
func single(tb testing.TB) place {
	tb.Helper()
	return place{Where: testserver.Shared(tb, testserver.Redis{}).URL()}
}

// cluster is the cluster that the tests share.
func cluster(tb testing.TB) place {
	tb.Helper()
	return clusterOf(tb, testserver.RedisCluster{})
}

func clusterOf(tb testing.TB, spec testserver.RedisCluster) place {
	tb.Helper()
	return place{Where: strings.Join(testserver.Shared(tb, spec).Addrs(), ","), Cluster: true}
}

// valkey is the Valkey that the tests share.
func valkey(tb testing.TB) place {
	tb.Helper()
	return place{Where: testserver.Shared(tb, testserver.Redis{Valkey: true}).URL()}
}

// record returns a record to create.
func record(key string) store.Record {
	return store.Record{Key: key, Data: []byte("data of " + key), Expires: time.Now().Add(time.Hour)}
}

// recordFor returns a record of a subject to create.
func recordFor(key, subject string) store.Record {
	rec := record(key)
	rec.Subject = subject
	return rec
}

func later(rec store.Record) store.Record {
	rec.Expires = rec.Expires.Add(time.Minute)
	return rec
}

func mustSave(tb testing.TB, s store.Store, rec store.Record) store.Record {
	tb.Helper()
	saved, err := s.Save(tb.Context(), rec)
	if err != nil {
		tb.Fatalf("Save(%s) = %v, want success", rec.Key, err)
	}
	return saved
}

func mustDelete(tb testing.TB, s store.Store, key string) {
	tb.Helper()
	if err := s.Delete(tb.Context(), key); err != nil {
		tb.Fatalf("Delete(%s) = %v, want success", key, err)
	}
}

// belongs checks that exactly the records under keys are the subject's.
func belongs(tb testing.TB, s *redisstore.Store, subject string, keys ...string) {
	tb.Helper()
	found, err := s.BySubject(tb.Context(), subject)
	if err != nil {
		tb.Fatalf("BySubject(%s) = %v", subject, err)
	}
	var got []string
	for _, rec := range found {
		got = append(got, rec.Key)
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		tb.Errorf("BySubject(%s) = %q, want %q", subject, got, keys)
	}
}

// within makes a call with a deadline.
func within(tb testing.TB, d time.Duration, f func(ctx context.Context) error) error {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	return f(ctx)
}

func eventually(tb testing.TB, failure string, ok func() bool) {
	tb.Helper()
	faulttest.Eventually(tb, failure, ok)
}

func promptly(tb testing.TB, f func()) {
	tb.Helper()
	faulttest.Promptly(tb, f)
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func recovers(t *testing.T, s *redisstore.Store) {
	t.Helper()
	name := key("recovers")
	rec := recordFor(name, name)
	eventually(t, "the store does not recover", func() bool { // a cluster that was down reads before it writes
		saved, err := s.Save(t.Context(), rec)
		if err == nil || errors.Is(err, store.ErrConflict) {
			rec.Version = saved.Version
			return err == nil
		}
		return false
	})
	belongs(t, s, name, rec.Key)
	mustDelete(t, s, rec.Key)
}

func key(parts ...any) string { return testserver.Name() + ":" + fmt.Sprint(parts...) }
