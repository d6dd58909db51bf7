package tests_test

import (
	"testing"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// config makes each store with connections of its own to the servers, and hands second the list.
func config(servers []string, second func(tb testing.TB, servers []string) store.Store) storetest.Config {
	return storetest.Config{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			return open(tb, memcachedstore.Options{Servers: servers})
		},
		Second: func(tb testing.TB, _ store.Store) store.Store {
			tb.Helper()
			return second(tb, servers)
		},
		TooLarge: memcachedstore.DefaultMaxItem,
	}
}

// anotherHandle is a second store in this process.
func anotherHandle(tb testing.TB, servers []string) store.Store {
	tb.Helper()
	return open(tb, memcachedstore.Options{Servers: servers})
}

// open returns a store that is closed when the test ends.
func open(tb testing.TB, o memcachedstore.Options) *memcachedstore.Store {
	tb.Helper()
	s, err := memcachedstore.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// roomy is a server that drops nothing during the suite.
func roomy() testserver.Memcached { return testserver.Memcached{Megabytes: 512} }

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config([]string{testserver.Shared(t, roomy()).Addr()}, anotherHandle))
}

func TestConformanceServers(t *testing.T) {
	t.Parallel()
	var servers []string
	for threads := 1; threads <= 3; threads++ {
		servers = append(servers, testserver.Start(t, testserver.Memcached{Megabytes: 512, Threads: threads}).Addr())
	}
	storetest.Run(t, config(servers, anotherHandle))
}

// TestConformanceProcesses has one of the two handles in another process.
func TestConformanceProcesses(t *testing.T) {
	t.Parallel()
	handle := newRemote(t)
	storetest.Run(t, config([]string{testserver.Shared(t, roomy()).Addr()}, func(_ testing.TB, servers []string) store.Store {
		return handle(servers)
	}))
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, config([]string{testserver.Shared(b, roomy()).Addr()}, anotherHandle))
}
