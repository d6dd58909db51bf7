package readme

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// TestPromisesOfStores asks the stores for the abilities in the table of docs/stores.md. A cell that begins with "no" says that the
// store does not have the ability; every other cell says that it has. A row about something else names a test.
func TestPromisesOfStores(t *testing.T) {
	t.Parallel()
	stores := []any{
		(*memstore.Store)(nil), (*sqlstore.Store)(nil), (*redisstore.Store)(nil), (*mongostore.Store)(nil),
		(*memcachedstore.Store)(nil),
	}
	abilities, suite := abilities(), suiteOfStores(t)
	for _, row := range promises(t, readFile(t, filepath.Join(root, "docs", "stores.md"))) {
		for _, m := range regexp.MustCompile("suite's `(\\w+)(?:/(\\w+))?`").FindAllStringSubmatch(row[6], -1) {
			if !strings.Contains(suite, `"`+m[1]+`"`) || !strings.Contains(suite, `"`+m[2]) {
				t.Errorf("the row %q names the case %s, which the suite does not have", row[0], m[0])
			}
		}
		ability := regexp.MustCompile("`(.*)`").FindStringSubmatch(row[0])
		if ability == nil {
			if proof := row[6]; !strings.Contains(proof, "`Test") {
				t.Errorf("the row %q names no test: %q", row[0], proof)
			}
			continue
		}
		has := abilities[ability[1]]
		if has == nil {
			t.Errorf("the row %q is about no ability", row[0])
			continue
		}
		delete(abilities, ability[1])
		for i, s := range stores {
			if cell := row[i+1]; strings.HasPrefix(cell, "no") == has(s) {
				t.Errorf("%s of %T: the cell says %q, the store has it: %t", ability[1], s, cell, has(s))
			}
		}
	}
	for name := range abilities {
		t.Errorf("the table has no row about %s", name)
	}
}

// suiteOfStores returns the source of package storetest.
func suiteOfStores(t *testing.T) string {
	t.Helper()
	return sources(t, filepath.Join(root, "core", "storetest"))
}

// promises returns the rows of the table, in cells.
func promises(t *testing.T, page string) (rows [][]string) {
	t.Helper()
	const head = "| | memory | SQL | Redis, Valkey | MongoDB | memcached | proved by |\n|---|---|---|---|---|---|---|\n"
	_, table, ok := strings.Cut(page, head)
	if !ok {
		t.Fatalf("docs/stores.md has no table with the head\n%s", head)
	}
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 7 {
			t.Fatalf("the table has a row of %d cells: %s", len(cells), line)
		}
		rows = append(rows, cells)
	}
	return rows
}

// abilities are the interfaces of package store by name, as questions to a nil pointer to a store. Those of memcached that it has
// to have, and does not support, do not look at the pointer.
func abilities() map[string]func(s any) bool {
	return map[string]func(s any) bool{
		"Store":        implements[store.Store],
		"Toucher":      implements[store.Toucher],
		"SubjectPager": implements[store.SubjectPager],
		"Purger":       implements[store.Purger],
		"Adviser":      implements[store.Adviser],
		"Instant":      implements[store.Instant],
		"Indexer": func(s any) bool {
			return supports(s, func(ctx context.Context, s store.Indexer) error {
				_, err := s.BySubject(ctx, "")
				return err
			})
		},
		"Lister": func(s any) bool {
			return supports(s, func(ctx context.Context, s store.Lister) error {
				_, _, err := s.List(ctx, "", "", 0)
				return err
			})
		},
		"Counter": func(s any) bool {
			return supports(s, func(ctx context.Context, s store.Counter) error {
				_, err := s.Count(ctx, "")
				return err
			})
		},
	}
}

func implements[I any](s any) bool {
	_, ok := s.(I)
	return ok
}

// supports also calls a method of the memcached store, the only one that may answer [errors.ErrUnsupported]. The suite of package
// storetest calls those of the others.
func supports[I any](s any, call func(context.Context, I) error) bool {
	i, ok := s.(I)
	if _, memcached := s.(*memcachedstore.Store); memcached && ok {
		return !errors.Is(call(context.Background(), i), errors.ErrUnsupported)
	}
	return ok
}
