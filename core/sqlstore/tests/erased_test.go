package tests_test

import (
	"database/sql"
	"testing"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/internal/faulttest"
)

// TestErased looks at every row of every table in the database, whoever has made the table, and in PostgreSQL at the
// statistics too, into which ANALYZE copies keys. It does not look at what databases have for their own use beside that:
// free pages of a file, rows that a vacuum has yet to remove, and logs.
func TestErased(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		s := newStore(t, db, quiet(p.Dialect))
		faulttest.Erased(t, s, func() []byte { return everyRow(t, db, p.Dialect) })
	})
}

// everyRow returns the values of all rows of all tables, one after the other.
func everyRow(t *testing.T, db *sql.DB, d sqlstore.Dialect) (all []byte) {
	t.Helper()
	list := ""
	switch d {
	case sqlstore.MySQL:
		list = "SELECT CONCAT('SELECT * FROM `', table_name, '`') FROM information_schema.tables WHERE table_schema = DATABASE()"
	case sqlstore.SQLite:
		list = `SELECT 'SELECT * FROM "' || name || '"' FROM sqlite_master WHERE type = 'table'`
	case sqlstore.PostgreSQL:
		if _, err := db.ExecContext(t.Context(), "VACUUM ANALYZE"); err != nil {
			t.Fatal(err)
		}
		list = `SELECT 'SELECT t.* FROM "' || table_schema || '"."' || table_name || '" t' FROM information_schema.tables
			WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
			UNION SELECT 'SELECT s::text FROM pg_statistic s'`
	}
	for _, query := range values(t, db, list) {
		for _, value := range values(t, db, string(query)) {
			all = append(append(all, value...), '\n')
		}
	}
	return all
}
