package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func countCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: countUnsupported,
			rule: "If the store cannot count, Count always returns errors.ErrUnsupported, so " +
				"that no caller takes its 0 to mean that there are no sessions.",
		},
		{
			name: "FollowsChanges", run: countFollows,
			rule: "Count is exact while nothing changes: a create adds one, a replace or a " +
				"touch adds none, and a delete subtracts one at once.",
		},
		{
			name: "Exact", run: countExact,
			rule: "Count is exact for many records too, and counts each once, however the store " +
				"finds them. Operators need the number of sessions, not an estimate.",
		},
		{
			name: "K3PrefixIsLiteral", run: countPrefix,
			rule: "Count takes the prefix literally, including pattern characters. Otherwise it " +
				"counts sessions of other applications that share the store.",
		},
		{
			name: "X7NotExpired", run: countNotExpired, waits: true,
			rule: "Count does not include an expired record, even if the store has not removed " +
				"it yet. It does include a record that never expires.",
		},
	}
}

// wantCount checks the number of records whose key starts with the unique prefix and then
// prefix.
func (e *env) wantCount(s store.Counter, prefix string, want int) {
	e.Helper()
	if got, err := s.Count(e.ctx, e.unique+prefix); err != nil || got != want {
		e.Errorf("Count(prefix %q) = %d, %v, want %d", abbreviate(e.unique+prefix), got, err, want)
	}
}

func countUnsupported(e *env) {
	s, ok := e.store.(store.Counter)
	if !ok {
		e.Skip("the store has no Count")
	}
	e.create("a")
	unsupported, prefixes := 0, []string{e.unique, e.name("nothing"), e.name("a")}
	for _, prefix := range prefixes {
		n, err := s.Count(e.ctx, prefix)
		if errors.Is(err, errors.ErrUnsupported) {
			unsupported++
		}
		if err != nil && n != 0 {
			e.Errorf("Count returned %d together with the error %v", n, err)
		}
	}
	if unsupported != 0 && unsupported != len(prefixes) {
		e.Errorf("%d of %d calls of Count returned errors.ErrUnsupported, want all or none",
			unsupported, len(prefixes))
	}
}

func countFollows(e *env) {
	s := e.counter()
	e.wantCount(s, "x", 0)
	first := e.create("x1")
	e.wantCount(s, "x", 1)
	second := e.createFor("x2", e.name("subject"))
	e.wantCount(s, "x", 2)
	second.Data = []byte("changed")
	second = e.save(second)
	e.wantCount(s, "x", 2)
	if toucher, ok := e.store.(store.Toucher); ok {
		_ = toucher.Touch(e.ctx, withExpires(second, time.Now().Add(2*time.Hour)))
	}
	e.wantCount(s, "x", 2)
	for i, rec := range []store.Record{first, second} {
		e.delete(rec.Key)
		e.wantCount(s, "x", 1-i)
	}
}

func countExact(e *env) {
	s := e.counter()
	const many, others = 300, 30
	e.createMany("x", many)
	e.createMany("y", others)
	e.wantCount(s, "x", many)
	e.wantCount(s, "y", others)
	e.wantCount(s, "", many+others)
	e.wantCount(s, "z", 0)
}

func countPrefix(e *env) {
	s := e.counter()
	for _, name := range similarNames() {
		e.create(name)
	}
	for _, prefix := range append(similarNames(), "") {
		want := 0
		for _, name := range similarNames() {
			if strings.HasPrefix(name, prefix) {
				want++
			}
		}
		e.wantCount(s, prefix, want)
	}
}

func countNotExpired(e *env) {
	s := e.counter()
	never := e.record("never")
	never.Expires = time.Time{}
	e.save(never)
	stays := e.record("stays")
	stays.Expires = time.Now().Add(24 * time.Hour)
	e.save(stays)
	ends := e.record("ends")
	ends.Expires = e.soon()
	e.save(ends)
	e.wantExpiry("Count", ends.Expires, func() bool {
		n, err := s.Count(e.ctx, e.unique)
		if err != nil || n < 2 {
			e.Errorf("Count = %d, %v, want at least the two records that have not expired", n, err)
		}
		return n > 2
	})
}
