// Package sqlstore keeps sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite. It works on a [sql.DB] that the
// application opens with a driver of its choice, and brings no driver itself.
//
//	db, err := sql.Open("pgx", dsn)
//	...
//	sessions, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.PostgreSQL})
//	...
//	defer sessions.Close()
//	err = sessions.Migrate(ctx)
//
// # What a call costs
//
// Load, Delete, BySubject, a page of List, and Save and Touch that succeed are one statement each, prepared beforehand
// where that saves a round trip. Only a Save or a Touch that finds something else than it expected asks once more why.
// Each call ends with its context; give it a deadline, as the manager does.
//
// # The pool
//
// The connections are the application's to configure. Of its defaults one hurts: database/sql keeps 2 idle connections and
// closes the others after each use, so set SetMaxIdleConns to as many as are usually busy, and SetMaxOpenConns to what the
// server allows this process. In MySQL set SetConnMaxLifetime below the server's wait_timeout. After an outage each
// connection that the server has dropped may cost one call an error; then all is as before, without a restart.
//
// # Versions
//
// A version is a random number of 63 bits, so none is used twice for a key, not even after a Delete, and not by another
// process. It also tells a write from others: when a driver repeats a write because it lost the reply, the row has the very
// version that this save chose, and the answer is success instead of a conflict with oneself.
//
// # Time
//
// Expiry is judged by the clock of the application and not by that of the server: each statement carries the time as a
// parameter. Clocks of several machines should agree as far as the shortest session may be off. Expiry has a resolution of
// a millisecond, rounded up. An expired row is never returned. [Store.Purge] deletes it; the manager calls that every few
// minutes.
//
// # SQLite
//
// SQLite is the choice for keeping sessions on one machine without a server. A file has one writer at a time and pays for a
// flush to disk with each transaction, so one goroutine makes all writes of a store, and those that come while the disk
// is busy share the next transaction: each still has its own result, and returns only after it is on disk. Several
// processes may work on one file. See [SQLiteDSN] for how to open it.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Store keeps records in a table. It implements every optional interface of the contract but [store.Instant]. It is safe
// for concurrent use, and so is its database for others.
type Store struct {
	db      *sql.DB
	options Options
	sql     statements
	direct  querier   // runs reads, and writes where there is no writer
	cache   *prepared // behind direct, or nil
	writer  *writer   // or nil
	closed  atomic.Bool
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Purger  = (*Store)(nil)
)

// New returns a store on db. It makes no call to the database: that happens in [Store.Migrate] or with the first session.
func New(db *sql.DB, o Options) (*Store, error) {
	o.Table = or(o.Table, DefaultTable)
	if err := o.check(db); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Store{db: db, options: o, sql: compile(o.Dialect, o.Table), direct: db}
	if o.Dialect == MySQL {
		s.cache = newPrepared(db)
		s.direct = s.cache
	}
	if o.Dialect == SQLite {
		s.writer = startWriter(db)
	}
	return s, nil
}

// Close ends the goroutine that writes to SQLite, after it has finished what it was given, and releases what the store has
// prepared. It does not close the database. Calls after Close fail, so close the manager first.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.writer != nil {
		s.writer.stop()
	}
	if s.cache != nil {
		return s.cache.close()
	}
	return nil
}

func (s *Store) open() error {
	if s.closed.Load() {
		return errClosed
	}
	return nil
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (rec store.Record, err error) {
	if err := checkKey(key); err != nil {
		return store.Record{}, err
	}
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		rec, err = one(ctx, q, s.sql.load, key, clock())
		return err
	})
	return rec, err
}

// Delete removes the record under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, s.sql.remove, key)
		return err
	})
}

// operation is the part of a call that talks to the database. It may run more than once; only the last run counts.
type operation func(ctx context.Context, q querier) error

func (s *Store) read(ctx context.Context, do operation) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.retry(ctx, func() error { return do(ctx, s.direct) })
}

func (s *Store) write(ctx context.Context, do operation) error {
	if err := s.open(); err != nil {
		return err
	}
	if s.writer != nil {
		return s.writer.do(ctx, do)
	}
	return s.retry(ctx, func() error { return do(ctx, s.direct) })
}

// retry repeats what the database has undone to let another transaction pass. It ends with the context, or when that has
// happened so often that something must be wrong.
func (s *Store) retry(ctx context.Context, do func() error) error {
	const attempts, pause = 100, 2 * time.Millisecond
	for i := 1; ; i++ {
		err := do()
		if err == nil || i == attempts || !s.transient(err) {
			return err
		}
		if sleep(ctx, jitter(pause)) != nil {
			return err
		}
	}
}

// transient reports whether the database has undone a statement because of others at work. Drivers are not imported here,
// so an error is known by what it says: the SQL state, where it has that method, or its text.
func (s *Store) transient(err error) bool {
	switch s.options.Dialect {
	case PostgreSQL:
		const serialization, deadlock = "40001", "40P01"
		var e interface{ SQLState() string }
		return errors.As(err, &e) && (e.SQLState() == serialization || e.SQLState() == deadlock)
	case MySQL:
		return strings.Contains(err.Error(), "Error 1213")
	default:
		return locked(err)
	}
}

// locked reports whether SQLite refused because another connection holds the lock.
func locked(err error) bool {
	return strings.Contains(err.Error(), "database is locked")
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
