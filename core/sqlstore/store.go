// Package sqlstore keeps sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite. It
// works on a [sql.DB] that the application opens with a driver of its choice, and imports
// no driver itself.
//
//	db, err := sql.Open("pgx", dsn)
//	...
//	sessions, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.PostgreSQL})
//	...
//	defer sessions.Close()
//	err = sessions.Migrate(ctx)
//
// # Round trips
//
// Load, Delete, BySubject, a page of SubjectKeys or List, and a Save or Touch that succeeds
// are one statement each. The statement is prepared in advance if that saves a round trip.
// Only a Save or Touch that finds another version than it expects needs a second statement
// to find out why. Each call ends when its context does, so give it a deadline, as the
// manager does.
//
// # Connections
//
// The application configures the connections. One default of database/sql is harmful: it
// keeps only 2 idle connections and closes all others after use. Set SetMaxIdleConns to the
// number of connections that are usually busy, and SetMaxOpenConns to the number that the
// server allows this process. The manager asks for [Store.Advice] when it starts, and logs a
// warning if the pool has that default. In MySQL, set SetConnMaxLifetime to less than the
// server's wait_timeout. After an outage, each connection that the server has closed may make
// one call fail. No restart is needed.
//
// If a server refuses a write because it has become a replica, the store closes the idle
// connections and tries again on new ones. So it follows a failover as soon as new connections
// lead to the new primary. Loads go on with connections to the former primary until a write
// meets it.
//
// # Transactions of the application
//
// A session is loaded before the handler and saved after it, on a connection of its own. A
// transaction on the same [sql.DB] that is still open then is in the way: in SQLite it has the
// lock of the file, and elsewhere its connection is missing from the pool, which may be the last
// one. The call then waits until its context ends, and its error says so. End each transaction
// within the handler, before the response begins, or give the sessions a [sql.DB] of their own,
// in SQLite a file of their own.
//
// # Versions
//
// A version is a random number of 63 bits, so that none is used twice for a key, not even
// after a Delete or by another process. The store also recognizes its own write by it: if a
// driver repeats a write because it lost the reply, the row has the version that this save
// chose, and the save succeeds instead of conflicting with itself.
//
// # Time
//
// Expiry is judged by the clock of the application, not by that of the server: each
// statement has the time as a parameter. If several machines use one table, the difference
// of their clocks should be short compared to the shortest session. An expiry is rounded up
// to a millisecond. An expired row is never returned. [Store.Purge] deletes it; the manager
// calls that every few minutes.
//
// # SQLite
//
// SQLite suits sessions on a single machine without a database server. A file has one
// writer at a time, and each transaction costs a flush to disk. One goroutine therefore
// makes all writes of a store. Writes that arrive while it is busy share the next
// transaction. Each still has its own result, and returns only after it is on disk. Several
// processes may use one file. See [SQLiteDSN] for how to open it.
//
// A database in memory is no substitute for a file: with :memory:, each connection has a database
// of its own, which ends with the connection. Package memstore keeps sessions in memory.
package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core/store"
)

// Store keeps records in a table. It implements every optional interface of package store
// except [store.Instant]. It is safe for concurrent use. The application may use the
// database for other purposes at the same time.
type Store struct {
	db         *sql.DB
	options    Options
	statements statements
	pool       querier         // db or cache; used for reads, and for writes if writer is nil
	cache      *statementCache // for MySQL only
	writer     *writer         // for SQLite only
	demotion   demotion
	closed     atomic.Bool
}

var _ store.Store = (*Store)(nil)

// New returns a store on db. It does not call the database. [Store.Migrate] or the first
// session does.
func New(db *sql.DB, o Options) (*Store, error) {
	o.Table = cmp.Or(o.Table, DefaultTable)
	if err := o.check(db); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Store{db: db, options: o, statements: compile(o.Dialect, o.Table), pool: db}
	if o.Dialect == MySQL {
		s.cache = newStatementCache(db)
		s.pool = s.cache
	}
	if o.Dialect == SQLite {
		s.writer = startWriter(db)
	}
	return s, nil
}

// Close waits until the writes to SQLite that are queued are done, ends the goroutine that
// makes them, and closes prepared statements. It does not close the database. Calls after
// Close fail, so close the manager first.
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

func (s *Store) checkOpen() error {
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
		rec, err = queryRecord(ctx, q, s.statements.load, key, nowMillis())
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
		_, err := q.ExecContext(ctx, s.statements.delete, key)
		return err
	})
}

// read runs an operation that changes nothing.
func (s *Store) read(ctx context.Context, do operation) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	err := retry(ctx, s.options.Dialect, func() error { return do(ctx, s.pool) })
	return s.explain(err)
}

// write runs an operation that changes the table, in SQLite as part of a transaction.
func (s *Store) write(ctx context.Context, do operation) error {
	if err := s.checkOpen(); err != nil {
		return err
	}
	if s.writer != nil {
		return s.explain(s.writer.do(ctx, do))
	}
	return s.explain(s.demotion.retryWrite(ctx, s.db, func() error {
		return retry(ctx, s.options.Dialect, func() error { return do(ctx, s.pool) })
	}))
}

// explain adds to a failure of the database what the application can do about it.
func (s *Store) explain(err error) error { return explain(s.options.Dialect, s.db, err) }
