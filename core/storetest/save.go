package storetest

import (
	"fmt"

	"github.com/cloakroom-go/sessions/core/store"
)

func saveCases() []testCase {
	return []testCase{
		{
			name: "LoadAbsent", run: loadAbsent,
			rule: "Load of a key that was never saved is ErrNotFound and no record; anything else and a new visitor gets an error page, or somebody's session.",
		},
		{
			name: "CreateLoad", run: createLoad,
			rule: "Save with Version 0 stores the record, and Load returns it as it was saved: key, subject, data, expiry, and the version that Save returned.",
		},
		{
			name: "CreateConflict", run: createConflict,
			rule: "Save with Version 0 where there is a record is ErrConflict and leaves it alone; otherwise a new session could take over the place of an existing one.",
		},
		{
			name: "Replace", run: replace,
			rule: "Save with the stored version replaces data, subject and expiry; the record has a new version from then on.",
		},
		{
			name: "ReplaceConflict", run: replaceConflict,
			rule: "Save with a version that is not the stored one is ErrConflict and changes nothing; a store where the last write wins loses what parallel requests change.",
		},
		{
			name: "ReplaceAbsent", run: replaceAbsent,
			rule: "Save with a version where there is no record is ErrNotFound and stores nothing; a replace that creates brings logged-out sessions back.",
		},
		{
			name: "ConflictRecord", run: conflictRecord,
			rule: "The record returned with ErrConflict is the stored one, or its Version is 0; the manager merges into it without loading it again.",
		},
		{
			name: "KeysAreSeparate", run: keysAreSeparate,
			rule: "Records under different keys have nothing to do with each other, also when one key is the beginning of another or contains what the backend takes for a pattern or a separator.",
		},
		{
			name: "LongKey", run: longKey,
			rule: "A key of 236 printable ASCII bytes is stored in full; a store that cuts or folds it gives two sessions one record.",
		},
		{
			name: "TooLarge", run: tooLarge,
			rule: "A record that is too large is ErrTooLarge, nothing is cut off, and the record stored before stays; memcached for one drops the old item when it refuses the new one.",
		},
	}
}

func loadAbsent(e *env) { e.gone(e.name("absent")) }

func createLoad(e *env) {
	rec := e.record("a")
	rec.Subject = e.name("subject")
	rec = e.save(rec)
	e.stored(rec)
	e.stored(rec)
}

func createConflict(e *env) {
	first := e.create("a")
	again := e.record("a")
	again.Data = []byte("another session")
	e.refused(again, store.ErrConflict)
	e.stored(first)
}

func replace(e *env) {
	rec := e.record("a")
	rec.Subject = e.name("subject")
	rec = e.save(rec)
	for i := range 5 {
		rec.Data = fmt.Appendf(nil, "data %d", i)
		rec.Subject = e.name(fmt.Sprint("subject", i))
		rec.Expires = rec.Expires.Add(-10e9)
		rec = e.save(rec)
		e.stored(rec)
	}
	rec.Subject = ""
	e.stored(e.save(rec))
}

func replaceConflict(e *env) {
	old := e.create("a")
	rec := old
	rec.Data = []byte("changed by another request")
	rec = e.save(rec)
	for _, version := range []uint64{old.Version, rec.Version + 1, 1 << 63, ^uint64(0)} {
		stale := rec
		stale.Version, stale.Data, stale.Subject = version, []byte("changed by this request"), e.name("subject")
		e.refused(stale, store.ErrConflict)
		e.stored(rec)
	}
}

func replaceAbsent(e *env) {
	for _, version := range []uint64{1, 2, 1 << 40, ^uint64(0)} {
		rec := e.record("absent")
		rec.Version = version
		e.refused(rec, store.ErrNotFound)
		e.gone(rec.Key)
	}
}

func conflictRecord(e *env) {
	old := e.record("a")
	old.Subject = e.name("before")
	old = e.save(old)
	rec := old
	rec.Data, rec.Subject, rec.Expires = []byte("changed"), e.name("after"), rec.Expires.Add(60e9)
	rec = e.save(rec)
	for _, version := range []uint64{0, old.Version} {
		stale := old
		stale.Version, stale.Data = version, []byte("mine")
		got, err := e.store.Save(e.ctx, stale)
		e.is(err, store.ErrConflict, "Save(version %d)", version)
		if got.Version != 0 {
			e.same("Save with ErrConflict", got, rec)
		}
	}
}

// lookalikes are keys that backends have been known to confuse. None contains another case's.
func lookalikes() []string {
	return []string{
		"a", "A", "aa", "a:", "a:b", "a::b", "a:b:", ":a", "a*", "a?", "*", "?", "[a]", "[^a]", "[a-z]", `\`, `\*`, `a\`, "a%", "%", "a_", "_",
		"{a}", "{a}b", "{}", "a'", `a"`, "a'--", "a;", "a/b", "a/../b", "..", "a.b", "$a", "a$", "a|b", "#a", "a,b", "a=b", "a&b", "%61", "a%00", "`a`", "<a>", "~a", "a+b", "a@1", "!a",
	}
}

func keysAreSeparate(e *env) {
	saved := make([]store.Record, 0, len(lookalikes()))
	for _, name := range lookalikes() {
		saved = append(saved, e.create(name))
	}
	for _, rec := range saved {
		e.stored(rec)
	}
	for i, rec := range saved {
		if err := e.store.Delete(e.ctx, rec.Key); err != nil {
			e.Fatalf("Delete(%q) = %v", rec.Key, err)
		}
		e.gone(rec.Key)
		if i+1 < len(saved) {
			e.stored(saved[i+1])
		}
	}
}

func longKey(e *env) {
	key := []byte(e.unique)
	for len(key) < 236 {
		key = append(key, byte('!'+len(key)%94))
	}
	first := e.record("")
	first.Key = string(key)
	key[235]++
	second := first
	second.Key, second.Data = string(key), []byte("another")
	third := first
	third.Key, third.Data = first.Key[:235], []byte("a third")
	for _, rec := range []*store.Record{&first, &second, &third} {
		e.track(rec.Key)
		*rec = e.save(*rec)
	}
	e.stored(first)
	e.stored(second)
	e.stored(third)
}

func tooLarge(e *env) {
	if e.TooLarge == 0 {
		e.Skip("Config.TooLarge is not set")
	}
	large := e.record("large")
	large.Data = make([]byte, e.TooLarge)
	e.refused(large, store.ErrTooLarge)
	e.gone(large.Key)

	rec := e.create("a")
	large = rec
	large.Data = make([]byte, e.TooLarge)
	e.refused(large, store.ErrTooLarge)
	e.stored(rec)
	rec.Data = []byte("goes on")
	e.stored(e.save(rec))
}
