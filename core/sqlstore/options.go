package sqlstore

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The default values of [Options].
const (
	DefaultTable   = "sessions"
	DefaultMaxData = 4 << 20
)

// Options configures a [Store]. Only Dialect is required.
type Options struct {
	// Dialect names the database.
	Dialect Dialect

	// Table is the name of the table that holds the records: letters, digits and
	// underscores, at most 48 bytes. Its case matters. In PostgreSQL and MySQL a schema may
	// precede it, as in "app.sessions". The default is "sessions".
	Table string

	// MaxData is the largest number of bytes in the data of a record. A save of a larger
	// one returns [store.ErrTooLarge] without a call to the database. It must be less than
	// the largest packet that the server accepts, which MySQL calls max_allowed_packet. The
	// default is 4 MiB.
	MaxData int
}

// identifier matches the names that every database accepts. They are short enough to leave
// room for the suffixes of index names.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,47}$`)

// check returns an error that says what to change if the options are invalid.
func (o Options) check(db *sql.DB) error {
	if db == nil {
		return errors.New("sessions: sqlstore: the *sql.DB is nil: " +
			"open one with your driver and hand it in")
	}
	if err := o.checkValues(); err != nil {
		return err
	}
	if d := dialectOf(db.Driver()); d != 0 && d != o.Dialect {
		return fmt.Errorf("sessions: sqlstore: Options.Dialect is %v, "+
			"but the driver is one for %v: set it to sqlstore.%v", o.Dialect, d, d)
	}
	return nil
}

// checkValues is check without a database.
func (o Options) checkValues() error {
	switch {
	case o.Dialect < PostgreSQL || o.Dialect > SQLite:
		return fmt.Errorf("sessions: sqlstore: Options.Dialect is %v: "+
			"set it to sqlstore.PostgreSQL, sqlstore.MySQL or sqlstore.SQLite", o.Dialect)
	case o.MaxData < 0:
		return fmt.Errorf("sessions: sqlstore: Options.MaxData is %d: "+
			"set a length in bytes, or 0 for %d", o.MaxData, DefaultMaxData)
	}
	return checkTable(o.Dialect, o.Table)
}

func checkTable(d Dialect, table string) error {
	schema, bare, qualified := strings.Cut(table, ".")
	if !qualified {
		bare = schema
	}
	switch {
	case !identifier.MatchString(bare), !identifier.MatchString(schema):
		return fmt.Errorf("sessions: sqlstore: Options.Table is %q: "+
			"use letters, digits and underscores, not a digit first, at most 48", table)
	case qualified && d == SQLite:
		return fmt.Errorf("sessions: sqlstore: Options.Table is %q: "+
			"SQLite takes a table without a schema, write %q", table, bare)
	}
	return nil
}

// withDefaults returns the options with the defaults in place of zero values.
func (o Options) withDefaults() Options {
	o.Table = cmp.Or(o.Table, DefaultTable)
	o.MaxData = cmp.Or(o.MaxData, DefaultMaxData)
	return o
}
