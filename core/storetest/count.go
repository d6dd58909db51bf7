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
			rule: "A Count that cannot be done answers errors.ErrUnsupported always, so that nobody takes its 0 for no sessions.",
		},
		{
			name: "FollowsChanges", run: countFollows,
			rule: "Count is exact while nothing changes: a create adds one, a replace and a touch add none, and a delete takes one away at once.",
		},
		{
			name: "Exact", run: countExact,
			rule: "Count is exact for many records too, each counted once, however the store walks them; an estimate is no number to show an operator.",
		},
		{
			name: "K3PrefixIsLiteral", run: countPrefix,
			rule: "The prefix is taken literally, pattern characters too: another application's sessions in the same store are none of this one's.",
		},
		{
			name: "X7NotExpired", run: countNotExpired, clock: true,
			rule: "A record that has expired is not counted, also where the store has not removed it yet; one that never expires is.",
		},
	}
}

// counter returns the store's Counter, or skips the case.
func (e *env) counter() store.Counter {
	e.Helper()
	s, ok := e.store.(store.Counter)
	if !ok {
		e.Skip("the store has no Count: the manager walks the records instead")
	}
	if _, err := s.Count(e.ctx, e.name("probe")); errors.Is(err, errors.ErrUnsupported) {
		e.Skip("the store's Count answers errors.ErrUnsupported")
	}
	return s
}

// counts checks how many records there are whose key starts with the unique name and then prefix.
func (e *env) counts(s store.Counter, prefix string, want int) {
	e.Helper()
	if got, err := s.Count(e.ctx, e.unique+prefix); err != nil || got != want {
		e.Errorf("Count(prefix %q) = %d, %v, want %d", short(e.unique+prefix), got, err, want)
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
		e.Errorf("%d of %d calls of Count answered errors.ErrUnsupported, want all or none", unsupported, len(prefixes))
	}
}

func countFollows(e *env) {
	s := e.counter()
	e.counts(s, "x", 0)
	first := e.create("x1")
	e.counts(s, "x", 1)
	second := e.record("x2")
	second.Subject = e.name("subject")
	second = e.save(second)
	e.counts(s, "x", 2)
	second.Data = []byte("changed")
	second = e.save(second)
	e.counts(s, "x", 2)
	if toucher, ok := e.store.(store.Toucher); ok {
		_ = toucher.Touch(e.ctx, extended(second, time.Now().Add(2*time.Hour)))
	}
	e.counts(s, "x", 2)
	for i, rec := range []store.Record{first, second} {
		if err := e.store.Delete(e.ctx, rec.Key); err != nil {
			e.Fatalf("Delete = %v", err)
		}
		e.counts(s, "x", 1-i)
	}
}

func countExact(e *env) {
	s := e.counter()
	const many, others = 300, 30
	e.createMany("x", many)
	e.createMany("y", others)
	e.counts(s, "x", many)
	e.counts(s, "y", others)
	e.counts(s, "", many+others)
	e.counts(s, "z", 0)
}

func countPrefix(e *env) {
	s := e.counter()
	for _, name := range lookalikes() {
		e.create(name)
	}
	for _, prefix := range append(lookalikes(), "") {
		want := 0
		for _, name := range lookalikes() {
			if strings.HasPrefix(name, prefix) {
				want++
			}
		}
		e.counts(s, prefix, want)
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
	e.ends("Count", ends.Expires, func() bool {
		n, err := s.Count(e.ctx, e.unique)
		if err != nil || n < 2 {
			e.Errorf("Count = %d, %v, want the two records that stay at least", n, err)
		}
		return n > 2
	})
}
