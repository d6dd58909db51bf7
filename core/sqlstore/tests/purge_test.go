package tests_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// everywhere runs a test on a new place of each kind.
func everywhere(t *testing.T, test func(t *testing.T, p place)) {
	t.Helper()
	for name, where := range map[string]func(testing.TB) place{
		"SQLite":   sqlitePlace,
		"Postgres": postgresPlace,
		"MariaDB":  func(tb testing.TB) place { tb.Helper(); return mariaDBPlace(tb, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, where(t))
		})
	}
}

// aged creates records of which the first n have expired, without waiting for it.
func aged(t *testing.T, p place, s *sqlstore.Store, n int) {
	t.Helper()
	for i := range n + 3 {
		rec := record(fmt.Sprintf("aged%03d", i))
		if i == n {
			rec.Expires = time.Time{}
		}
		if _, err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("UPDATE sessions SET expires = 1000 WHERE id < 'aged%03d'", n)
	if _, err := p.db(t).ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, p place) (n int) {
	t.Helper()
	if err := p.db(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sessions").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPurge(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		s := newStore(t, p.db(t), quiet(p.Dialect))
		aged(t, p, s, 25)
		for _, want := range []int{10, 10, 5, 0} {
			if n, err := s.Purge(t.Context(), 10); n != want || err != nil {
				t.Errorf("Purge(10) = %d, %v, want %d", n, err, want)
			}
		}
		if n := rows(t, p); n != 3 {
			t.Errorf("%d rows are left, want the 3 that live", n)
		}
	})
}

// TestPurgeOfAnyNumber leaves the limit to the store.
func TestPurgeOfAnyNumber(t *testing.T) {
	t.Parallel()
	p := sqlitePlace(t)
	s := newStore(t, p.db(t), quiet(p.Dialect))
	for _, limit := range []int{0, -1} {
		aged(t, p, s, 25)
		if n, err := s.Purge(t.Context(), limit); n != 25 || err != nil {
			t.Errorf("Purge(%d) = %d, %v, want all 25", limit, n, err)
		}
		if _, err := p.db(t).ExecContext(t.Context(), "DELETE FROM sessions"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManagerPurges leaves the purge to a manager.
func TestManagerPurges(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		s := newStore(t, p.db(t), quiet(p.Dialect))
		aged(t, p, s, 25)
		m, err := core.NewManager(core.Options{Store: s, PurgeInterval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "expired rows are left", func() bool { return rows(t, p) == 3 })
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// TestPostgresPurgeStepsOver holds the lock of an expired row: the purge neither waits for it nor leaves the others.
func TestPostgresPurgeStepsOver(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	s := newStore(t, p.db(t), quiet(p.Dialect))
	aged(t, p, s, 5)
	tx, err := p.db(t).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT 1 FROM sessions WHERE id = 'aged002' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n, err := s.Purge(ctx, 10); n != 4 || err != nil {
		t.Errorf("Purge while one of five rows is locked = %d, %v, want 4", n, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Purge(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("Purge afterwards = %d, %v, want 1", n, err)
	}
}

// TestPurgeTakesNoneAlive purges all the time while records are extended in the moment that they expire. What was
// extended in time stays, what was not is gone.
func TestPurgeTakesNoneAlive(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		s := newStore(t, p.db(t), quiet(p.Dialect))
		var stop atomic.Bool
		var purging, working sync.WaitGroup
		for range 2 {
			purging.Go(func() {
				for !stop.Load() {
					if _, err := s.Purge(t.Context(), 5); err != nil {
						t.Errorf("Purge = %v", err)
					}
				}
			})
		}
		for n := range 8 {
			working.Go(func() {
				for i := range 25 {
					extendAtTheEnd(t, s, fmt.Sprint(n, "-", i), i%2 == 0)
				}
			})
		}
		working.Wait()
		stop.Store(true)
		purging.Wait()
	})
}

// extendAtTheEnd creates a record that expires in a moment, and saves or touches it about then.
func extendAtTheEnd(t *testing.T, s *sqlstore.Store, key string, touch bool) {
	t.Helper()
	rec := record(key)
	rec.Expires = time.Now().Add(40 * time.Millisecond)
	rec, err := s.Save(t.Context(), rec)
	if errors.Is(err, store.ErrNotFound) {
		return // it has taken that long
	}
	if err != nil {
		t.Errorf("create = %v", err)
		return
	}
	time.Sleep(time.Until(rec.Expires) - 5*time.Millisecond)
	if touch {
		err = s.Touch(t.Context(), later(rec))
	} else {
		_, err = s.Save(t.Context(), later(rec))
	}
	if err != nil && (!errors.Is(err, store.ErrNotFound) || time.Now().Before(rec.Expires)) {
		t.Errorf("extending before %v = %v", rec.Expires, err)
	}
	if _, loaded := s.Load(t.Context(), key); !errors.Is(loaded, err) {
		t.Errorf("extending = %v, and Load afterwards = %v", err, loaded)
	}
}

// TestMigrateTogether migrates from many stores at once, and again.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		var wg sync.WaitGroup
		for range 8 {
			s, err := sqlstore.New(p.db(t), quiet(p.Dialect))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			wg.Go(func() {
				for range 2 {
					if err := s.Migrate(t.Context()); err != nil {
						t.Errorf("Migrate = %v", err)
					}
				}
			})
		}
		wg.Wait()
		s := newStore(t, p.db(t), quiet(p.Dialect))
		for i := range 3 {
			if _, err := s.Save(t.Context(), record(strconv.Itoa(i))); err != nil {
				t.Errorf("Save = %v", err)
			}
		}
		stored(t, s, 3)
	})
}

// TestMigrateTable uses a table whose name needs quotes, in a schema of its own where there is such a thing.
func TestMigrateTable(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		options := quiet(p.Dialect)
		options.Table = "Order"
		if p.Dialect == sqlstore.PostgreSQL {
			if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA app"); err != nil {
				t.Fatal(err)
			}
			options.Table = "app.Order"
		}
		s := newStore(t, db, options)
		rec := record("0")
		rec.Subject = "somebody"
		if _, err := s.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		stored(t, s, 1)
		if found, err := s.BySubject(t.Context(), "somebody"); err != nil || len(found) != 1 {
			t.Errorf("BySubject = %d records, %v, want 1", len(found), err)
		}
		if _, err := s.Purge(t.Context(), 1); err != nil {
			t.Errorf("Purge = %v", err)
		}
	})
}
