package tests_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// place tells a process where a store's data is.
type place struct {
	Driver, DSN string
	Dialect     sqlstore.Dialect
}

// maxConns bounds the pools of the servers' clients; the servers take 200.
const maxConns = 24

// open returns a store, and what closes it with its pool.
func (p place) open() (store.Store, func() error, error) {
	db, err := sql.Open(p.Driver, p.DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxIdleConns(maxConns)
	if p.Dialect != sqlstore.SQLite {
		db.SetMaxOpenConns(maxConns)
	}
	s, err := sqlstore.New(db, quiet(p.Dialect))
	if err != nil {
		return nil, nil, err
	}
	return s, func() error { return errors.Join(s.Close(), db.Close()) }, nil
}

// sqlitePlace is a new file.
func sqlitePlace(tb testing.TB) place {
	tb.Helper()
	return place{"sqlite", sqlstore.SQLiteDSN(file(tb)), sqlstore.SQLite}
}

// postgresPlace is a new database on the server that all tests share.
func postgresPlace(tb testing.TB) place {
	tb.Helper()
	return place{"pgx", testserver.Shared(tb, testserver.Postgres{}).Database(tb), sqlstore.PostgreSQL}
}

// englishPlace is a new database of PostgreSQL that sorts as a dictionary does: "a" before "B", and dashes hardly count.
func englishPlace(tb testing.TB) place {
	tb.Helper()
	server := testserver.Shared(tb, testserver.Postgres{})
	name := testserver.Name()
	admin := openDB(tb, "pgx", server.URL())
	text := fmt.Sprint("CREATE DATABASE ", name, " TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
	if _, err := admin.ExecContext(tb.Context(), text); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_, _ = admin.ExecContext(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	return place{"pgx", strings.Replace(server.URL(), "/postgres?", "/"+name+"?", 1), sqlstore.PostgreSQL}
}

// mariaDBPlace is a new database on the server that all tests share, with parameters for the driver.
func mariaDBPlace(tb testing.TB, parameters string) place {
	tb.Helper()
	return place{"mysql", withParameters(testserver.Shared(tb, testserver.MariaDB{}).Database(tb), parameters), sqlstore.MySQL}
}

func withParameters(dsn, parameters string) string {
	switch {
	case parameters == "":
		return dsn
	case strings.Contains(dsn, "?"):
		return dsn + "&" + parameters
	}
	return dsn + "?" + parameters
}

// openSQLite opens the file at path.
func openSQLite(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	return openDB(tb, "sqlite", sqlstore.SQLiteDSN(path))
}

func openDB(tb testing.TB, driver, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// newStore returns a store on db whose table exists.
func newStore(tb testing.TB, db *sql.DB, o sqlstore.Options) *sqlstore.Store {
	tb.Helper()
	s, err := sqlstore.New(db, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// values returns the values of all rows of a query.
func values(t *testing.T, db *sql.DB, query string, args ...any) (all [][]byte) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, targets := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row...)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func quiet(d sqlstore.Dialect) sqlstore.Options { return sqlstore.Options{Dialect: d} }

func file(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "sessions.db")
}
