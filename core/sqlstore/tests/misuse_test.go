package tests_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// odd is a connection of a type that cannot be compared.
type odd struct {
	*tap
	_ []int
}

// oddConnector wraps connections so that each is odd.
type oddConnector struct{ connector }

func (c oddConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return odd{tap: conn.(*tap)}, nil
}

// TestSQLiteOddConnections has a driver whose connections cannot be compared, which would end the process.
func TestSQLiteOddConnections(t *testing.T) {
	t.Parallel()
	configured := 0
	db := sql.OpenDB(oddConnector{connector{sqlstore.SQLiteDSN(file(t)), func(text string) error {
		if strings.HasPrefix(text, "PRAGMA synchronous") {
			configured++
		}
		return nil
	}}})
	t.Cleanup(func() { _ = db.Close() })
	useAll(t, newStore(t, db, quiet(sqlstore.SQLite)))
	if configured == 0 {
		t.Error("no connection was configured")
	}
}

// TestSQLiteDriverPanics has a driver that panics in every kind of statement. Each write gets an error, and the next one is
// made.
func TestSQLiteDriverPanics(t *testing.T) {
	t.Parallel()
	panicAt := ""
	db := tapped(t, file(t), func(text string) error {
		if panicAt != "" && strings.HasPrefix(text, panicAt) {
			panic("with data of mallory")
		}
		return nil
	})
	s := newStore(t, db, quiet(sqlstore.SQLite))
	for _, at := range []string{"BEGIN", "INSERT", "COMMIT", "PRAGMA"} {
		panicAt = at
		if at == "PRAGMA" {
			db.SetMaxIdleConns(-1) // the next connection is a new one
		}
		_, err := s.Save(t.Context(), record("panics at "+at))
		if err == nil || !strings.Contains(err.Error(), "driver panicked") || strings.Contains(err.Error(), "mallory") {
			t.Errorf("Save while the driver panics at %s = %v, want an error without its data", at, err)
		}
		panicAt = ""
		if _, err := s.Save(t.Context(), record("after "+at)); err != nil {
			t.Errorf("Save after a panic at %s = %v", at, err)
		}
	}
}

// says checks that an error tells what to do.
func says(t *testing.T, what string, err error, part string) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "sessions: sqlstore: ") || !strings.Contains(err.Error(), part) {
		t.Errorf("%s = %v, want an error that says %q", what, err, part)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		t.Errorf("%s = %v, which is an answer", what, err)
	}
}

// TestMigrateForgotten uses stores without their table.
func TestMigrateForgotten(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		s := newUnmigrated(t, p.db(t), p.Dialect)
		_, err := s.Load(t.Context(), "k")
		says(t, "Load", err, "call Migrate")
		_, err = s.Save(t.Context(), record("k"))
		says(t, "Save", err, "call Migrate")
		says(t, "Delete", s.Delete(t.Context(), "k"), "call Migrate")
		_, err = s.Purge(t.Context(), 0)
		says(t, "Purge", err, "call Migrate")
	})
}

// TestSQLiteInMemory has a second connection, which has no table: each has a database of its own.
func TestSQLiteInMemory(t *testing.T) {
	t.Parallel()
	db := openDB(t, "sqlite", ":memory:")
	s := newStore(t, db, quiet(sqlstore.SQLite))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Load(t.Context(), "k")
	says(t, "Load", err, ":memory:")
	_ = conn.Close()
}

// hidden is a driver of a type that the store does not know.
type hidden struct{ driver.Driver }

type hiddenConnector struct{ driver.Connector }

func (c hiddenConnector) Driver() driver.Driver { return hidden{c.Connector.Driver()} }

// TestWrongDialect has a store on the wrong database: New refuses known drivers, and with others the first call says it.
func TestWrongDialect(t *testing.T) {
	t.Parallel()
	all := []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite}
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		for _, d := range all {
			s, err := sqlstore.New(db, quiet(d))
			if d == p.Dialect {
				if err != nil {
					t.Errorf("New(%v) on %v = %v", d, p.Dialect, err)
				}
				_ = s.Close()
				continue
			}
			says(t, fmt.Sprintf("New(%v) on %v", d, p.Dialect), err, "set it to sqlstore."+p.Dialect.String())
		}
		unknown := sql.OpenDB(hiddenConnector{connectorOf(t, p)})
		t.Cleanup(func() { _ = unknown.Close() })
		for _, d := range all {
			if d == p.Dialect {
				continue
			}
			s := newUnmigrated(t, unknown, d)
			says(t, fmt.Sprintf("Migrate for %v on %v", d, p.Dialect), s.Migrate(t.Context()), "set Options.Dialect")
		}
	})
}

// connectorOf makes connections to a place.
func connectorOf(t *testing.T, p place) driver.Connector {
	t.Helper()
	d := openDB(t, p.Driver, p.DSN).Driver()
	if c, ok := d.(driver.DriverContext); ok {
		connector, err := c.OpenConnector(p.DSN)
		if err != nil {
			t.Fatal(err)
		}
		return connector
	}
	return connector{p.DSN, func(string) error { return nil }}
}

// TestOwnTransaction saves a session while the application has an open transaction on the same database.
func TestOwnTransaction(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db, hint, tries := p.db(t), "all 2 connections", int64(1)
		waits := func() int64 { return db.Stats().WaitCount }
		if p.Dialect == sqlstore.SQLite {
			var begun atomic.Int64
			db, hint, tries = countBegins(t, p, &begun), "locked the SQLite file", 2
			waits = begun.Load
		}
		s := newStore(t, db, quiet(p.Dialect))
		if p.Dialect != sqlstore.SQLite {
			db.SetMaxOpenConns(2)
		}
		held := ownTransactions(t, db, 2)
		for what, call := range map[string]func(ctx context.Context) error{
			"Save":   func(ctx context.Context) error { _, err := s.Save(ctx, record("k")); return err },
			"Delete": func(ctx context.Context) error { return s.Delete(ctx, "k") },
		} {
			enough := waits() + tries
			err := runsOutOfTime(t, func() bool { return waits() >= enough }, call)
			says(t, what+" during a transaction", err, hint)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s = %v, want the error of the context, too", what, err)
			}
		}
		for _, tx := range held {
			_ = tx.Rollback()
		}
		useAll(t, s)
	})
}

// countBegins opens the SQLite file with connections that count how often the store tries to begin a transaction.
// The second time, it has been told that the file is locked.
func countBegins(t *testing.T, p place, begun *atomic.Int64) *sql.DB {
	t.Helper()
	db := sql.OpenDB(connector{p.DSN, func(text string) error {
		if text == "BEGIN IMMEDIATE" {
			begun.Add(1)
		}
		return nil
	}})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// deadline is a context whose deadline passes when the test says so.
type deadline struct {
	context.Context //nolint:containedctx // It is one.

	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.passed }

func (d *deadline) Err() error {
	select {
	case <-d.passed:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// runsOutOfTime makes a call whose deadline passes once the call waits.
func runsOutOfTime(t *testing.T, waits func() bool, call func(ctx context.Context) error) error {
	t.Helper()
	ctx := &deadline{t.Context(), make(chan struct{})}
	result := make(chan error, 1)
	go func() { result <- call(ctx) }()
	for !waits() {
		select {
		case err := <-result:
			return err
		case <-time.After(time.Millisecond):
		}
	}
	close(ctx.passed)
	return <-result
}

// slowCaller is a context whose deadline passes while the store waits, and whose caller notices that late.
type slowCaller struct {
	deadline

	waits func() bool
}

func (c *slowCaller) Done() <-chan struct{} {
	for !c.waits() {
		time.Sleep(time.Millisecond)
	}
	close(c.passed)
	time.Sleep(100 * time.Millisecond) // The goroutine that writes has given up by then.
	return c.passed
}

// TestLockedFileForSlowCallers has the goroutine that writes notice a deadline before the caller does.
func TestLockedFileForSlowCallers(t *testing.T) {
	t.Parallel()
	var begun atomic.Int64
	p := sqlitePlace(t)
	db := countBegins(t, p, &begun)
	s := newStore(t, db, quiet(p.Dialect))
	held := ownTransactions(t, db, 1)
	for range 10 { // Two results are ready, and select takes any.
		enough := begun.Load() + 2
		ctx := &slowCaller{
			deadline{t.Context(), make(chan struct{})},
			func() bool { return begun.Load() >= enough },
		}
		_, err := s.Save(ctx, record("k"))
		says(t, "Save", err, "locked the SQLite file")
	}
	for _, tx := range held {
		_ = tx.Rollback()
	}
}

// ownTransactions begins n transactions of the application. In SQLite only the first of them writes.
func ownTransactions(t *testing.T, db *sql.DB, n int) (all []*sql.Tx) {
	t.Helper()
	if _, ok := db.Driver().(*sqlite.Driver); ok {
		n = 1 // which has the lock from its beginning: see SQLiteDSN
	}
	for range n {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tx)
	}
	return all
}

// TestAdvice asks about pools with every number of idle connections.
func TestAdvice(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		for _, c := range []struct {
			name     string
			set      func(db *sql.DB)
			expected bool
		}{
			{"default", func(*sql.DB) {}, true},
			{"two", func(db *sql.DB) { db.SetMaxIdleConns(2) }, true},
			{"one", func(db *sql.DB) { db.SetMaxIdleConns(1) }, true},
			{"none, as with a pool of pgx", func(db *sql.DB) { db.SetMaxIdleConns(0) }, false},
			{"three", func(db *sql.DB) { db.SetMaxIdleConns(3) }, false},
			{"two connections at all", func(db *sql.DB) { db.SetMaxOpenConns(2) }, false},
		} {
			db := openDB(t, p.Driver, p.DSN)
			c.set(db)
			s := newUnmigrated(t, db, p.Dialect)
			advice := s.Advice(t.Context())
			if got := strings.Contains(advice, "SetMaxIdleConns"); got != c.expected || !c.expected && advice != "" {
				t.Errorf("%s: Advice = %q", c.name, advice)
			}
			if open := db.Stats().InUse; open != 0 {
				t.Errorf("%s: Advice leaves %d connections open", c.name, open)
			}
		}
	})
}
