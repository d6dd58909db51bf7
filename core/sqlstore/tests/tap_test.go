package tests_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core/sqlstore"
)

// tapped opens the file at path with connections that ask before each statement. An error is the statement's result.
func tapped(tb testing.TB, path string, before func(text string) error) *sql.DB {
	tb.Helper()
	db := sql.OpenDB(connector{dsn: sqlstore.SQLiteDSN(path), before: before})
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

type connector struct {
	dsn    string
	before func(text string) error
}

func (c connector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &tap{Conn: conn, before: c.before}, nil
}

// tap is a connection that asks before each statement.
type tap struct {
	driver.Conn
	before func(text string) error
}

func (t *tap) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := t.before(text); err != nil {
		return nil, err
	}
	return t.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
}

func (t *tap) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := t.before(text); err != nil {
		return nil, err
	}
	return t.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}
