package tests_test

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
)

// many creates n records of a subject in one statement and returns their keys in order. They never expire.
func many(t *testing.T, db *sql.DB, subject string, n int) (keys []string) {
	t.Helper()
	var rows []string
	for i := range n {
		key := fmt.Sprintf("%s:%05d", subject, i)
		keys = append(keys, key)
		rows = append(rows, fmt.Sprintf("('%s', '%s', '', NULL, %d)", key, subject, i+1))
	}
	// The last first, so that the order of the keys is not that of the rows.
	slices.Reverse(rows)
	text := fmt.Sprint("INSERT INTO sessions (id, subject, data, expires, version) VALUES ", strings.Join(rows, ", "))
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestSubjectKeys walks 2,000 records of a subject, among others.
func TestSubjectKeys(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		s := newStore(t, db, quiet(p.Dialect))
		want := many(t, db, "many", 2000)
		many(t, db, "man", 10)
		many(t, db, "many-others", 10)
		if _, err := s.Save(t.Context(), record("anonymous")); err != nil {
			t.Fatal(err)
		}
		pages := 0
		got := faulttest.WalkSubject(t, s, "many", 100, func([]string) { pages++ })
		if !slices.Equal(got, want) || pages > 21 {
			t.Errorf("a walk finds %d keys in %d pages, want the 2000 of the subject, each once, in 20 or 21", len(got), pages)
		}
		for limit, want := range map[int]int{0: 100, -1: 100, 1: 1, 5000: 1000} {
			if page, next, err := s.SubjectKeys(t.Context(), "many", "", limit); err != nil || len(page) != want || next == "" {
				t.Errorf("SubjectKeys(limit %d) = %d keys, next %q, %v, want %d keys", limit, len(page), next, err, want)
			}
		}
	})
}

// TestSubjectKeysTaken takes the records of each page away from the subject before it asks for the next: by deleting them,
// and by saving them under another subject. The subject's new records of that time may be found or not.
func TestSubjectKeysTaken(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		faulttest.SubjectTaken(t, newStore(t, db, quiet(p.Dialect)), 20, func(subject string) []string {
			return many(t, db, subject, 250)
		})
	})
}

// TestSubjectKeysExpired has expired records between the others, more in a row than a page has keys.
func TestSubjectKeysExpired(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		s := newStore(t, db, quiet(p.Dialect))
		keys := many(t, db, "some", 100)
		text := fmt.Sprint("UPDATE sessions SET expires = ", time.Now().UnixMilli(), " WHERE id BETWEEN '", keys[20], "' AND '", keys[79], "'")
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		got := faulttest.WalkSubject(t, s, "some", 8, func([]string) {})
		if want := slices.Concat(keys[:20], keys[80:]); !slices.Equal(got, want) {
			t.Errorf("a walk finds %q, want those that have not expired", got)
		}
	})
}

// TestSubjectKeysRefuses checks subjects that no record has, and cursors that are none of the subject's.
func TestSubjectKeysRefuses(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, p place) {
		t.Helper()
		db := p.db(t)
		s := newStore(t, db, quiet(p.Dialect))
		many(t, db, "one", 3)
		many(t, db, "two", 3)
		if _, err := s.Save(t.Context(), record("anonymous")); err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"", "nobody", "line\nend", "é", strings.Repeat("s", 300)} {
			if page, next, err := s.SubjectKeys(t.Context(), subject, "", 10); err != nil || len(page) != 0 || next != "" {
				t.Errorf("SubjectKeys(%.10q) = %q, %q, %v, want nothing", subject, page, next, err)
			}
		}
		_, two, err := s.SubjectKeys(t.Context(), "two", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		_, list, err := s.List(t.Context(), "one", "", 1)
		if err != nil {
			t.Fatal(err)
		}
		encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		for _, cursor := range []string{"x", "one:00000", two, list, encode("one"), encode("k1:one\n"), encode("k1:one\n\xff"), encode("k1:one\n" + strings.Repeat("k", 300))} {
			if page, next, err := s.SubjectKeys(t.Context(), "one", cursor, 1); err == nil || len(page) != 0 || next != "" || errors.Is(err, store.ErrNotFound) {
				t.Errorf("SubjectKeys(cursor %.20q) = %q, %q, %v, want an error", cursor, page, next, err)
			}
		}
	})
}

// makeFormerTable makes the table as it was before there were pages: its index of subjects lacks the keys.
func makeFormerTable(t *testing.T, db *sql.DB, d sqlstore.Dialect) {
	t.Helper()
	texts, err := sqlstore.Schema(d, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		text = strings.ReplaceAll(text, "(subject, id)", "(subject)")
		text = strings.ReplaceAll(text, "sessions_subject_id", "sessions_subject")
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// TestSubjectKeysReadLittle counts the rows that a server reads for a page, of a subject that has thousands: in a table
// about which it has no statistics, with them, and in a table from before there were pages, which Migrate has found.
func TestSubjectKeysReadLittle(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"New", "Analyzed", "Upgraded"} {
		for _, p := range []place{postgresPlace(t), mariaDBPlace(t, "")} {
			t.Run(p.Dialect.String()+how, func(t *testing.T) {
				t.Parallel()
				db := p.db(t)
				db.SetMaxOpenConns(1) // The counters are those of a connection.
				if how == "Upgraded" {
					makeFormerTable(t, db, p.Dialect)
				}
				s := newStore(t, db, quiet(p.Dialect))
				many(t, db, "many", 4000)
				for i := range 20 {
					many(t, db, fmt.Sprint("other", i), 200)
				}
				if how == "Analyzed" {
					values(t, db, map[sqlstore.Dialect]string{sqlstore.PostgreSQL: "ANALYZE sessions", sqlstore.MySQL: "ANALYZE TABLE sessions"}[p.Dialect])
				}
				readsLittle(t, db, s, p.Dialect)
			})
		}
	}
}

// readsLittle walks the first pages of the subject that has many.
func readsLittle(t *testing.T, db *sql.DB, s *sqlstore.Store, d sqlstore.Dialect) {
	t.Helper()
	const limit = 50
	cursor := ""
	for page := range 10 {
		idle := rowsRead(t, db, d)
		idle = rowsRead(t, db, d) - idle // what the question reads by itself
		before := rowsRead(t, db, d)
		_, next, err := s.SubjectKeys(t.Context(), "many", cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n := rowsRead(t, db, d) - before - idle; n < limit || n > 3*limit {
			t.Errorf("page %d reads %d rows, want about %d", page, n, limit)
		}
		cursor = next
	}
}

// rowsRead returns how many rows the connection has read.
func rowsRead(t *testing.T, db *sql.DB, d sqlstore.Dialect) (n int) {
	t.Helper()
	if d == sqlstore.PostgreSQL {
		if _, err := db.ExecContext(t.Context(), "SELECT pg_stat_force_next_flush()"); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(values(t, db, "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'sessions'")[0]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	status := values(t, db, "SHOW SESSION STATUS LIKE 'Handler_read%'")
	for i := 1; i < len(status); i += 2 {
		value, err := strconv.Atoi(string(status[i]))
		if err != nil {
			t.Fatal(err)
		}
		n += value
	}
	return n
}

// TestSQLiteSubjectKeysReadLittle asks SQLite, which counts nothing, how it runs the statement: it begins in the index at
// the first key of the page and does not sort.
func TestSQLiteSubjectKeysReadLittle(t *testing.T) {
	t.Parallel()
	for _, upgraded := range []bool{false, true} {
		var statement string
		db := tapped(t, file(t), func(text string) error {
			if strings.HasPrefix(text, "SELECT id, subject, ''") {
				statement = text
			}
			return nil
		})
		if upgraded {
			makeFormerTable(t, db, sqlstore.SQLite)
		}
		s := newStore(t, db, quiet(sqlstore.SQLite))
		many(t, db, "many", 200)
		if _, _, err := s.SubjectKeys(t.Context(), "many", "", 50); err != nil {
			t.Fatal(err)
		}
		plan := string(bytes.Join(values(t, db, "EXPLAIN QUERY PLAN "+statement, "many", "", 50), []byte("\n")))
		if !strings.Contains(plan, "USING INDEX sessions_subject_id (subject=? AND id>?)") || strings.Contains(plan, "ORDER BY") {
			t.Errorf("upgraded %t: SQLite plans %s", upgraded, plan)
		}
	}
}
