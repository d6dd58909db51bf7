package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Dialect is the database's way of speaking SQL. There is no default: a store cannot tell the database from the driver.
type Dialect uint8

// The databases that the store knows.
const (
	// PostgreSQL is PostgreSQL 12 or newer, with any driver that takes $1 for a parameter: pgx by its stdlib package,
	// lib/pq.
	PostgreSQL Dialect = iota + 1
	// MySQL is MySQL 8, MariaDB 10.6 or newer, with any driver that takes ? for a parameter. It does not matter whether
	// the data source name says clientFoundRows.
	MySQL
	// SQLite is SQLite 3.24 or newer, with any driver, on a file. See [SQLiteDSN].
	SQLite
)

// String returns the dialect's name.
func (d Dialect) String() string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", uint8(d))
}

// The defaults that zero values of [Options] stand for.
const (
	DefaultTable   = "sessions"
	DefaultMaxData = 4 << 20
)

// Options configures a [Store]. Only Dialect is needed.
type Options struct {
	// Dialect names the database.
	Dialect Dialect

	// Table keeps the records: a name of letters, digits and underscores, at most 48 bytes, taken with its case. In
	// PostgreSQL and MySQL a schema may precede it, as in "app.sessions". "": "sessions".
	Table string

	// MaxData bounds the length of a record's data; a longer one is [store.ErrTooLarge] and nothing is sent. It must stay
	// below what the server takes in one packet, max_allowed_packet in MySQL. Zero: 4 MiB.
	MaxData int
}

// name is an identifier that every database takes, with room left for the names of its indexes.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,47}$`)

// check says what is impossible about the options and what to do about it.
func (o Options) check(db *sql.DB) error {
	switch {
	case db == nil:
		return errors.New("sessions: sqlstore: the *sql.DB is nil: open one with your driver and hand it in")
	case o.Dialect < PostgreSQL || o.Dialect > SQLite:
		return fmt.Errorf("sessions: sqlstore: Options.Dialect is %v: set it to sqlstore.PostgreSQL, sqlstore.MySQL or sqlstore.SQLite", o.Dialect)
	case o.MaxData < 0:
		return fmt.Errorf("sessions: sqlstore: Options.MaxData is %d: set a length in bytes, or 0 for %d", o.MaxData, DefaultMaxData)
	}
	return checkTable(o.Dialect, o.Table)
}

func checkTable(d Dialect, table string) error {
	schema, bare, qualified := strings.Cut(table, ".")
	if !qualified {
		bare = schema
	}
	switch {
	case !name.MatchString(bare), !name.MatchString(schema):
		return fmt.Errorf("sessions: sqlstore: Options.Table is %q: use letters, digits and underscores, not a digit first, at most 48", table)
	case qualified && d == SQLite:
		return fmt.Errorf("sessions: sqlstore: Options.Table is %q: SQLite takes a table without a schema, write %q", table, bare)
	}
	return nil
}

// withDefaults returns the options with each zero value replaced by what it stands for.
func (o Options) withDefaults() Options {
	o.Table = or(o.Table, DefaultTable)
	o.MaxData = or(o.MaxData, DefaultMaxData)
	return o
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
