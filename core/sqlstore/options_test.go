package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/sqlstore"
)

// nowhere is a database that nothing can connect to.
type nowhere struct{}

var errNoDriver = errors.New("there is no database")

func (nowhere) Connect(context.Context) (driver.Conn, error) { return nil, errNoDriver }
func (nowhere) Driver() driver.Driver                        { return nil }

func noDatabase(t *testing.T) *sql.DB {
	t.Helper()
	db := sql.OpenDB(nowhere{})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestNewRefuses checks that each impossible option fails at start-up, in a sentence that says what to change.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	db := noDatabase(t)
	for name, c := range map[string]struct {
		db      *sql.DB
		options sqlstore.Options
		fix     string
	}{
		"no database":      {nil, sqlstore.Options{Dialect: sqlstore.SQLite}, "open one"},
		"no dialect":       {db, sqlstore.Options{}, "set it to sqlstore.PostgreSQL"},
		"unknown dialect":  {db, sqlstore.Options{Dialect: 9}, "set it to sqlstore.PostgreSQL"},
		"injection":        {db, sqlstore.Options{Dialect: sqlstore.MySQL, Table: "a; DROP TABLE users"}, "use letters"},
		"quote":            {db, sqlstore.Options{Dialect: sqlstore.MySQL, Table: "a`b"}, "use letters"},
		"digit first":      {db, sqlstore.Options{Dialect: sqlstore.SQLite, Table: "1a"}, "use letters"},
		"line end":         {db, sqlstore.Options{Dialect: sqlstore.SQLite, Table: "a\n"}, "use letters"},
		"too long":         {db, sqlstore.Options{Dialect: sqlstore.PostgreSQL, Table: strings.Repeat("a", 49)}, "at most 48"},
		"empty schema":     {db, sqlstore.Options{Dialect: sqlstore.PostgreSQL, Table: ".a"}, "use letters"},
		"two schemas":      {db, sqlstore.Options{Dialect: sqlstore.PostgreSQL, Table: "a.b.c"}, "use letters"},
		"schema in SQLite": {db, sqlstore.Options{Dialect: sqlstore.SQLite, Table: "main.a"}, `write "a"`},
		"negative length":  {db, sqlstore.Options{Dialect: sqlstore.SQLite, MaxData: -1}, "or 0 for"},
	} {
		s, err := sqlstore.New(c.db, c.options)
		if err == nil || s != nil || !strings.HasPrefix(err.Error(), "sessions: sqlstore: ") || !strings.Contains(err.Error(), c.fix) {
			t.Errorf("%s: New = %v, want an error that says %q", name, err, c.fix)
		}
	}
}

// TestNewMakesNoCall checks that a store can be made while the database is down, and says so when it is used.
func TestNewMakesNoCall(t *testing.T) {
	t.Parallel()
	for _, d := range []sqlstore.Dialect{sqlstore.PostgreSQL, sqlstore.MySQL, sqlstore.SQLite} {
		s, err := sqlstore.New(noDatabase(t), sqlstore.Options{Dialect: d, Table: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(t.Context(), "a"); !errors.Is(err, errNoDriver) {
			t.Errorf("%v: Load without a database = %v, want the driver's error", d, err)
		}
		if err := s.Delete(t.Context(), "a"); !errors.Is(err, errNoDriver) {
			t.Errorf("%v: Delete without a database = %v, want the driver's error", d, err)
		}
		if err := s.Migrate(t.Context()); !errors.Is(err, errNoDriver) {
			t.Errorf("%v: Migrate without a database = %v, want the driver's error", d, err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Errorf("%v: Close = %v", d, err)
			}
		}
	}
}

// TestSchema checks that every table and index is named after the table, within its schema.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		dialect sqlstore.Dialect
		table   string
		want    []string
	}{
		{sqlstore.PostgreSQL, "", []string{`EXISTS "sessions" (`, `"sessions_subject_id" ON "sessions" (subject, id)`, `"sessions_expires" ON "sessions"`}},
		{sqlstore.PostgreSQL, "app.Order", []string{`EXISTS "app"."Order" (`, `"Order_subject_id" ON "app"."Order" (subject, id)`, `"Order_expires" ON "app"."Order"`}},
		{sqlstore.MySQL, "app.order", []string{"EXISTS `app`.`order` (\n"}},
		{sqlstore.SQLite, "t", []string{`EXISTS "t" (`, `"t_subject_id" ON "t" (subject, id)`, `"t_expires" ON "t"`}},
	} {
		texts, err := sqlstore.Schema(c.dialect, c.table)
		if err != nil || len(texts) != len(c.want) {
			t.Errorf("Schema(%v, %q) = %q, %v, want %d statements", c.dialect, c.table, texts, err, len(c.want))
			continue
		}
		for i, text := range texts {
			if !strings.Contains(text, c.want[i]) || strings.ContainsAny(text, "{}?") {
				t.Errorf("Schema(%v, %q) has %q, want it to contain %q and nothing to fill in", c.dialect, c.table, text, c.want[i])
			}
		}
	}
	if _, err := sqlstore.Schema(sqlstore.SQLite, "a b"); err == nil {
		t.Error("Schema of a table that cannot be = nil, want an error")
	}
	if _, err := sqlstore.Schema(0, "a"); err == nil {
		t.Error("Schema of no dialect = nil, want an error")
	}
}
