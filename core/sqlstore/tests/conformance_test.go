package tests_test

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
)

// config makes each store on a pool of its own at a place that where returns, and hands second that place.
func config(where func(tb testing.TB) place, second func(tb testing.TB, p place) store.Store) storetest.Config {
	var places sync.Map
	return storetest.Config{
		New: func(tb testing.TB) store.Store {
			tb.Helper()
			p := where(tb)
			s := newStore(tb, p.db(tb), quiet(p.Dialect))
			places.Store(s, p)
			return s
		},
		Second: func(tb testing.TB, first store.Store) store.Store {
			tb.Helper()
			p, _ := places.Load(first)
			return second(tb, p.(place))
		},
		Resolution: time.Millisecond,
		TooLarge:   sqlstore.DefaultMaxData + 1,
	}
}

// anotherHandle is a second store in this process, with a pool of its own.
func anotherHandle(tb testing.TB, p place) store.Store {
	tb.Helper()
	return newStore(tb, p.db(tb), quiet(p.Dialect))
}

// anotherProcess makes second stores in one other process.
func anotherProcess(tb testing.TB) func(testing.TB, place) store.Store {
	tb.Helper()
	handle := newRemote(tb)
	return func(_ testing.TB, p place) store.Store { return handle(p) }
}

func (p place) db(tb testing.TB) *sql.DB {
	tb.Helper()
	db := openDB(tb, p.Driver, p.DSN)
	if p.Dialect != sqlstore.SQLite {
		db.SetMaxOpenConns(24) // the servers take 200
		db.SetMaxIdleConns(24)
	}
	return db
}

// one returns the same place always.
func one(p place) func(testing.TB) place { return func(testing.TB) place { return p } }

func TestSQLiteConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(sqlitePlace, anotherHandle))
}

func TestSQLiteConformanceProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(sqlitePlace, anotherProcess(t)))
}

func TestPostgresConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(one(postgresPlace(t)), anotherHandle))
}

func TestPostgresConformanceProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(one(englishPlace(t)), anotherProcess(t)))
}

func TestMariaDBConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(one(mariaDBPlace(t, "")), anotherHandle))
}

// TestMariaDBFoundRows counts the rows that an UPDATE found, where the driver's default is those that it changed.
func TestMariaDBFoundRows(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(one(mariaDBPlace(t, "clientFoundRows=true&interpolateParams=true")), anotherHandle))
}

func TestMariaDBConformanceProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, config(one(mariaDBPlace(t, "")), anotherProcess(t)))
}

func BenchmarkSQLite(b *testing.B) {
	storetest.Bench(b, config(sqlitePlace, anotherHandle))
}

func BenchmarkPostgres(b *testing.B) {
	storetest.Bench(b, config(one(postgresPlace(b)), anotherHandle))
}

func BenchmarkMariaDB(b *testing.B) {
	storetest.Bench(b, config(one(mariaDBPlace(b, "")), anotherHandle))
}
