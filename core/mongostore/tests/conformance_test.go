package tests_test

import (
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// config makes each store on a collection of its own, in a database that all of them share.
func config(tb testing.TB, second func(p place) store.Store) storetest.Config {
	tb.Helper()
	url := sharedURL(tb)
	db := connect(tb, options.Client().ApplyURI(url)).Database(database(tb, url))
	var places sync.Map
	return storetest.Config{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			p := place{url, testserver.Name()}
			s := migrated(tb, db.Collection(p.Collection), quiet())
			places.Store(s, p)
			return s
		},
		Second: func(_ testing.TB, first store.Store) store.Store {
			p, _ := places.Load(first)
			return second(p.(place))
		},
		Resolution: time.Millisecond,
		TooLarge:   mongostore.DefaultMaxData + 1,
	}
}

// anotherHandle makes second stores with another client of this process.
func anotherHandle(tb testing.TB) func(place) store.Store {
	tb.Helper()
	var client *mongo.Client
	var once sync.Once
	return func(p place) store.Store {
		once.Do(func() { client = connect(tb, options.Client().ApplyURI(p.URL)) })
		return newStore(tb, client.Database(database(tb, p.URL)).Collection(p.Collection), quiet())
	}
}

// TestConformance has the second handle in another process, so that R1 to R6 run between two. It also holds on a real
// MongoDB that TEST_MONGO_URL names.
func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(t, newRemote(t)))
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, config(b, anotherHandle(b)))
}
