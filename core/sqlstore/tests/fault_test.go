package tests_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func TestFaults(t *testing.T) {
	backend := func(name, driver string, dialect sqlstore.Dialect, start func(tb testing.TB) *testserver.Server) faulttest.Backend {
		return faulttest.Backend{
			Name: name, Open: openAt, Kill: faulttest.Nothing, Conns: maxConns,
			Start: func(tb testing.TB) (*testserver.Server, string) {
				tb.Helper()
				server := start(tb)
				p := place{driver, server.Database(tb), dialect}
				newStore(tb, openDB(tb, p.Driver, p.DSN), quiet(dialect))
				return server, p.address()
			},
			Deny: func(server *testserver.Server, address string) string {
				address = strings.ReplaceAll(address, server.Password(), faulttest.WrongPassword)
				return strings.ReplaceAll(address, url.QueryEscape(server.Password()), faulttest.WrongPassword)
			},
		}
	}
	faulttest.Faults(t,
		backend("PostgreSQL", "pgx", sqlstore.PostgreSQL, func(tb testing.TB) *testserver.Server {
			tb.Helper()
			return testserver.Start(tb, testserver.Postgres{})
		}),
		backend("MariaDB", "mysql", sqlstore.MySQL, func(tb testing.TB) *testserver.Server {
			tb.Helper()
			return testserver.Start(tb, testserver.MariaDB{})
		}),
	)
}

func eventually(t *testing.T, failure string, ok func() bool) {
	t.Helper()
	faulttest.Eventually(t, failure, ok)
}

// recovers checks that the store works as if nothing had happened, after a few attempts at most.
func recovers(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	eventually(t, "the store does not recover", func() bool {
		_, err := within(t, 5*time.Second, func(ctx context.Context) (store.Record, error) { return s.Load(ctx, "recovers") })
		return errors.Is(err, store.ErrNotFound)
	})
	rec, err := s.Save(t.Context(), record("recovers"))
	if err != nil {
		t.Fatalf("Save after recovery = %v", err)
	}
	if got, err := s.Load(t.Context(), rec.Key); err != nil || got.Version != rec.Version {
		t.Fatalf("Load after recovery = %v, %v", got, err)
	}
	if err := s.Delete(t.Context(), rec.Key); err != nil {
		t.Fatalf("Delete after recovery = %v", err)
	}
}

// within makes a call with a deadline.
func within(t *testing.T, d time.Duration, f func(ctx context.Context) (store.Record, error)) (store.Record, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return f(ctx)
}
