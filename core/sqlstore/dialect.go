package sqlstore

import (
	"fmt"
	"reflect"
	"strings"
)

// Dialect names a database. There is no default, because a store cannot tell the database
// from every driver. [New] refuses a dialect that does not belong to a driver that it knows.
type Dialect uint8

// The databases that the store supports.
const (
	// PostgreSQL is PostgreSQL 12 or newer, with any driver that takes $1 for a parameter,
	// such as lib/pq or the stdlib package of pgx.
	PostgreSQL Dialect = iota + 1
	// MySQL is MySQL 8 or MariaDB 10.6 or newer, with any driver that takes ? for a
	// parameter. The store works with and without clientFoundRows in the data source name.
	MySQL
	// SQLite is SQLite 3.24 or newer, with any driver, on a file. See [SQLiteDSN].
	SQLite
)

// String returns the name of the dialect.
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

// dialectOf returns the dialect of a driver that is known, and otherwise 0. It takes the type,
// because the package imports no drivers.
func dialectOf(driver any) Dialect {
	t := reflect.TypeOf(driver)
	if t == nil {
		return 0
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for part, d := range map[string]Dialect{
		"jackc/pgx": PostgreSQL, "lib/pq": PostgreSQL,
		"go-sql-driver/mysql": MySQL,
		"modernc.org/sqlite":  SQLite, "mattn/go-sqlite3": SQLite, "ncruces/go-sqlite3": SQLite,
	} {
		if strings.Contains(t.PkgPath(), part) {
			return d
		}
	}
	return 0
}

// render replaces {table} in text by the quoted table, and {name} by its name without
// schema and quotes. For PostgreSQL it numbers the parameters.
func render(d Dialect, table, text string) string {
	quote := `"`
	if d == MySQL {
		quote = "`"
	}
	bare := table[strings.IndexByte(table, '.')+1:]
	quoted := quote + strings.ReplaceAll(table, ".", quote+"."+quote) + quote
	text = strings.NewReplacer("{table}", quoted, "{name}", bare).Replace(text)
	if d != PostgreSQL {
		return text
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	return b.String()
}
