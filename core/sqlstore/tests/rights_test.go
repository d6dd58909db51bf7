package tests_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// postgresAs returns a pool of a new user of PostgreSQL who may connect to the place and nothing else.
func postgresAs(t *testing.T, p place, user string) *sql.DB {
	t.Helper()
	admin := openDB(t, p.Driver, p.DSN)
	execute(t, admin, fmt.Sprint("CREATE ROLE ", user, " LOGIN PASSWORD 'pw'"))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, _ = admin.ExecContext(ctx, "DROP OWNED BY "+user+" CASCADE")
		_, _ = admin.ExecContext(ctx, "DROP ROLE "+user)
	})
	u, err := url.Parse(p.DSN)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "pw")
	return openDB(t, p.Driver, u.String())
}

// root returns a pool of MariaDB's administrator, who has no password and may grant rights.
func root(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	_, rest, _ := strings.Cut(dsn, "@")
	return openDB(t, "mysql", "root@"+rest)
}

// mariaDBAs is postgresAs for MariaDB.
func mariaDBAs(t *testing.T, p place, user string) *sql.DB {
	t.Helper()
	admin := root(t, p.DSN)
	execute(t, admin, fmt.Sprintf("CREATE USER %s@'127.0.0.1' IDENTIFIED BY 'pw'", user))
	t.Cleanup(func() {
		_, _ = admin.ExecContext(context.WithoutCancel(t.Context()), "DROP USER "+user+"@'127.0.0.1'")
	})
	_, rest, _ := strings.Cut(p.DSN, "@")
	return openDB(t, p.Driver, user+":pw@"+rest)
}

func execute(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// TestPostgresRights has users with fewer and fewer rights migrate and use the store.
func TestPostgresRights(t *testing.T) {
	t.Parallel()
	p, user := postgresPlace(t), testserver.Name()
	db, admin := postgresAs(t, p, user), openDB(t, p.Driver, p.DSN)
	s := newUnmigrated(t, db, sqlstore.PostgreSQL)
	refused(t, "without a right", s)
	execute(t, admin, "GRANT CREATE ON SCHEMA public TO "+user)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate of a user who may create = %v, want success", err)
	}
	execute(t, admin, "DROP TABLE sessions")

	newStore(t, admin, quiet(sqlstore.PostgreSQL)) // another user creates the table
	execute(t, admin, "REVOKE CREATE ON SCHEMA public FROM "+user)
	execute(t, admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO "+user)
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate of a user with four rights = %v, want success: nothing is missing", err)
		}
	}
	useAll(t, s)

	execute(t, admin, "DROP INDEX sessions_expires")
	refused(t, "without an index", s)
	newStore(t, admin, quiet(sqlstore.PostgreSQL))
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate after the owner has added the index = %v, want success", err)
	}
}

// TestPostgresMigrateOneIndex has a table of the same name in another schema that the path has later, with all indexes.
func TestPostgresMigrateOneIndex(t *testing.T) {
	t.Parallel()
	p := postgresPlace(t)
	admin := openDB(t, p.Driver, p.DSN)
	newStore(t, admin, quiet(sqlstore.PostgreSQL))
	execute(t, admin, "CREATE SCHEMA app")
	db := openDB(t, p.Driver, p.DSN+"&search_path=app,public")
	execute(t, db, "CREATE TABLE app.sessions (LIKE public.sessions INCLUDING ALL EXCLUDING INDEXES)")
	newStore(t, db, quiet(sqlstore.PostgreSQL))
	if got := values(t, db, "SELECT indexname FROM pg_indexes WHERE schemaname = 'app'"); len(got) != 2 {
		t.Errorf("the table has the indexes %q, want two", got)
	}
}

// TestMariaDBRights is TestPostgresRights for MariaDB.
func TestMariaDBRights(t *testing.T) {
	t.Parallel()
	p, user := mariaDBPlace(t, ""), testserver.Name()
	admin := root(t, p.DSN)
	db := mariaDBAs(t, p, user)
	db.SetMaxIdleConns(-1) // rights on a database reach new connections only
	who := user + "@'127.0.0.1'"
	name := string(values(t, admin, "SELECT DATABASE()")[0])
	execute(t, admin, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+name+".* TO "+who)
	s := newUnmigrated(t, db, sqlstore.MySQL)
	refused(t, "without CREATE", s)
	execute(t, admin, "GRANT CREATE ON "+name+".* TO "+who)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate of a user who may create = %v, want success", err)
	}
	execute(t, admin, "REVOKE CREATE ON "+name+".* FROM "+who)
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate of a user with four rights = %v, want success: nothing is missing", err)
		}
	}
	useAll(t, s)
}

func newUnmigrated(t *testing.T, db *sql.DB, d sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, quiet(d))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// refused checks that Migrate says where its rights are written.
func refused(t *testing.T, when string, s *sqlstore.Store) {
	t.Helper()
	err := s.Migrate(t.Context())
	if err == nil || !strings.Contains(err.Error(), "comment of Migrate") || !strings.Contains(err.Error(), "Schema") {
		t.Errorf("%s: Migrate = %v, want an error that says who may", when, err)
	}
}

// useAll calls everything that a store can do.
func useAll(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	useAllAs(t, s, "somebody")
}

// useAllAs is useAll for one of several users of the same table.
func useAllAs(t *testing.T, s *sqlstore.Store, subject string) {
	t.Helper()
	rec := record("used-by-" + subject)
	rec.Subject = subject
	rec, err := s.Save(t.Context(), rec)
	if err == nil {
		rec, err = s.Save(t.Context(), rec)
	}
	errs := []error{err, s.Touch(t.Context(), later(rec))}
	add := func(err error) { errs = append(errs, err) }
	_, err = s.Load(t.Context(), rec.Key)
	add(err)
	_, err = s.BySubject(t.Context(), rec.Subject)
	add(err)
	_, _, err = s.SubjectKeys(t.Context(), rec.Subject, "", 0)
	add(err)
	_, _, err = s.List(t.Context(), "", "", 0)
	add(err)
	_, err = s.Count(t.Context(), "")
	add(err)
	short := store.Record{Key: "short-" + subject, Expires: time.Now().Add(time.Second)}
	_, err = s.Save(t.Context(), short)
	add(err)
	time.Sleep(time.Until(short.Expires))
	_, err = s.Purge(t.Context(), 0)
	add(err)
	add(s.Delete(t.Context(), rec.Key))
	if err := errors.Join(errs...); err != nil {
		t.Errorf("the calls of %s: %v", subject, err)
	}
}

// TestPostgresExecModes uses the store in the modes of pgx that need no prepared statement, as behind a PgBouncer that gives a
// connection to another client after each transaction.
func TestPostgresExecModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"exec", "simple_protocol", "cache_describe", "describe_exec"} {
		p := postgresPlace(t)
		useAll(t, newStore(t, openDB(t, p.Driver, p.DSN+"&default_query_exec_mode="+mode), quiet(p.Dialect)))
	}
}

// TestPostgresPool uses the store on a pool of pgx, which keeps the connections itself.
func TestPostgresPool(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), postgresPlace(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	s := newStore(t, db, quiet(sqlstore.PostgreSQL))
	useAll(t, s)
	if advice := s.Advice(t.Context()); advice != "" {
		t.Errorf("Advice = %q, want none", advice)
	}
}
