package tests_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestPgBouncer uses the store with more clients than there are connections to the server, in the modes that docs/stores.md
// names. In statement mode, Migrate may find its table, and not create it.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	for _, modes := range [][2]string{
		{"session", "cache_statement"},
		{"transaction", "exec"},
		{"transaction", "simple_protocol"},
		{"statement", "exec"},
		{"statement", "simple_protocol"},
	} {
		t.Run(modes[0]+"/"+modes[1], func(t *testing.T) {
			t.Parallel()
			p := postgresPlace(t)
			if modes[0] == "statement" {
				newStore(t, p.db(t), quiet(p.Dialect))
			}
			front := testserver.Start(t, testserver.PgBouncer{Database: p.DSN, Mode: modes[0], Conns: 2})
			p.DSN = front.URL() + "&default_query_exec_mode=" + modes[1]
			useByMany(t, p)
		})
	}
}

// TestPgBouncerWithoutPreparedStatements leaves pgx in its default mode, which a PgBouncer in transaction mode does not suit.
func TestPgBouncerWithoutPreparedStatements(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	newStore(t, p.db(t), quiet(p.Dialect))
	front := testserver.Start(t, testserver.PgBouncer{Database: p.DSN, Mode: "transaction", Conns: 1})
	p.DSN = front.URL()
	first, second := storeOn(t, p), storeOn(t, p)
	if _, err := first.Save(t.Context(), record("first")); err != nil {
		t.Fatal(err)
	}
	_, err := second.Save(t.Context(), record("second"))
	says(t, "Save", err, "default_query_exec_mode=exec")
}

// storeOn returns a store on a connection of its own, whose table exists.
func storeOn(t *testing.T, p place) *sqlstore.Store {
	t.Helper()
	db := p.db(t)
	db.SetMaxOpenConns(1)
	s, err := sqlstore.New(db, quiet(p.Dialect))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// useByMany uses a store from eight clients at once, each with a connection of its own.
func useByMany(t *testing.T, p place) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			db := p.db(t)
			db.SetMaxOpenConns(1)
			useAllAs(t, newStore(t, db, quiet(p.Dialect)), fmt.Sprint("client", i))
			_ = db.Close() // In session mode this lets the next client have the connection.
		})
	}
	all.Wait()
}
