package tests_test

import (
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// config makes stores on p, and second handles as second does.
func config(p place, second func(tb testing.TB, p place) store.Store) storetest.Config {
	return storetest.Config{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			_, s := p.open(tb)
			return s
		},
		Second: func(tb testing.TB, _ store.Store) store.Store {
			tb.Helper()
			return second(tb, p)
		},
		Resolution: time.Millisecond,
		TooLarge:   redisstore.DefaultMaxData + 1,
	}
}

// anotherHandle is a second store in this process, with a client of its own.
func anotherHandle(tb testing.TB, p place) store.Store {
	tb.Helper()
	_, s := p.open(tb)
	return s
}

// anotherProcess makes second stores in one other process.
func anotherProcess(tb testing.TB) func(testing.TB, place) store.Store {
	tb.Helper()
	handle := newRemote(tb)
	return func(_ testing.TB, p place) store.Store { return handle(p) }
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(single(t), anotherHandle))
}

func TestConformanceProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(single(t), anotherProcess(t)))
}

func TestConformanceCluster(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(cluster(t), anotherHandle))
}

func TestConformanceClusterProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(cluster(t), anotherProcess(t)))
}

func TestConformanceValkey(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(valkey(t), anotherProcess(t)))
}

func TestConformanceValkeyCluster(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(clusterOf(t, testserver.RedisCluster{Valkey: true}), anotherProcess(t)))
}

func BenchmarkRedis(b *testing.B) { storetest.Bench(b, config(single(b), anotherHandle)) }

func BenchmarkCluster(b *testing.B) { storetest.Bench(b, config(cluster(b), anotherHandle)) }

func BenchmarkValkey(b *testing.B) { storetest.Bench(b, config(valkey(b), anotherHandle)) }
