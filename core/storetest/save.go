package storetest

import (
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func saveCases() []testCase {
	return []testCase{
		{
			name: "LoadAbsent", run: loadAbsent,
			rule: "Load of a key that was never saved returns ErrNotFound and no record. With " +
				"any other answer a new visitor gets an error page or somebody else's session.",
		},
		{
			name: "CreateLoad", run: createLoad,
			rule: "Save with Version 0 stores the record. Load returns it as it was saved: key, " +
				"subject, data, expiry, and the version that Save returned.",
		},
		{
			name: "CreateConflict", run: createConflict,
			rule: "Save with Version 0 returns ErrConflict if there is a record, and leaves it " +
				"as it is. Otherwise a new session could take the place of an existing one.",
		},
		{
			name: "Replace", run: replace,
			rule: "Save with the stored version replaces data, subject and expiry, and gives " +
				"the record a new version.",
		},
		{
			name: "ReplaceConflict", run: replaceConflict,
			rule: "Save with a version other than the stored one returns ErrConflict and " +
				"changes nothing. A store where the last write wins loses the changes of " +
				"parallel requests.",
		},
		{
			name: "ReplaceAbsent", run: replaceAbsent,
			rule: "Save with a version returns ErrNotFound and stores nothing if there is no " +
				"record. A store that creates the record instead brings logged-out sessions " +
				"back.",
		},
		{
			name: "ConflictRecord", run: conflictRecord,
			rule: "The record that Save returns with ErrConflict is the stored one, or its " +
				"Version is 0. The manager merges into that record without loading it again.",
		},
		{
			name: "KeysAreSeparate", run: keysAreSeparate,
			rule: "Records under different keys do not affect each other, even if one key is a " +
				"prefix of another or contains what the backend takes for a pattern or a " +
				"separator.",
		},
		{
			name: "LongKey", run: longKey,
			rule: "A key of 236 printable ASCII bytes is stored in full. A store that shortens " +
				"it gives two sessions the same record.",
		},
		{
			name: "TooLarge", run: tooLarge,
			rule: "Save of a record that is too large returns ErrTooLarge, cuts nothing off and " +
				"leaves the stored record in place. Memcached, for example, drops the old item " +
				"when it refuses a new one.",
		},
	}
}

func loadAbsent(e *env) { e.wantAbsent(e.name("absent")) }

func createLoad(e *env) {
	rec := e.createFor("a", e.name("subject"))
	e.wantStored(rec)
	e.wantStored(rec)
}

func createConflict(e *env) {
	first := e.create("a")
	again := e.record("a")
	again.Data = []byte("another session")
	e.wantRefused(again, store.ErrConflict)
	e.wantStored(first)
}

func replace(e *env) {
	rec := e.createFor("a", e.name("subject"))
	for i := range 5 {
		rec.Data = fmt.Appendf(nil, "data %d", i)
		rec.Subject = e.name(fmt.Sprint("subject", i))
		rec.Expires = rec.Expires.Add(-10 * time.Second)
		rec = e.save(rec)
		e.wantStored(rec)
	}
	rec.Subject = ""
	e.wantStored(e.save(rec))
}

func replaceConflict(e *env) {
	old := e.create("a")
	rec := old
	rec.Data = []byte("changed by another request")
	rec = e.save(rec)
	for _, version := range []uint64{old.Version, rec.Version + 1, 1 << 63, ^uint64(0)} {
		stale := rec
		stale.Version, stale.Subject = version, e.name("subject")
		stale.Data = []byte("changed by this request")
		e.wantRefused(stale, store.ErrConflict)
		e.wantStored(rec)
	}
}

func replaceAbsent(e *env) {
	for _, version := range []uint64{1, 2, 1 << 40, ^uint64(0)} {
		rec := e.record("absent")
		rec.Version = version
		e.wantRefused(rec, store.ErrNotFound)
		e.wantAbsent(rec.Key)
	}
}

func conflictRecord(e *env) {
	old := e.createFor("a", e.name("before"))
	rec := old
	rec.Data, rec.Subject = []byte("changed"), e.name("after")
	rec.Expires = rec.Expires.Add(time.Minute)
	rec = e.save(rec)
	for _, version := range []uint64{0, old.Version} {
		stale := old
		stale.Version, stale.Data = version, []byte("changed by this request")
		got, err := e.store.Save(e.ctx, stale)
		e.wantErr(err, store.ErrConflict, "Save(version %d)", version)
		if got.Version != 0 {
			e.wantSame("Save with ErrConflict", got, rec)
		}
	}
}

func keysAreSeparate(e *env) {
	saved := make([]store.Record, 0, len(similarNames()))
	for _, name := range similarNames() {
		saved = append(saved, e.create(name))
	}
	for _, rec := range saved {
		e.wantStored(rec)
	}
	for i, rec := range saved {
		e.delete(rec.Key)
		e.wantAbsent(rec.Key)
		if i+1 < len(saved) {
			e.wantStored(saved[i+1])
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
	e.wantStored(first)
	e.wantStored(second)
	e.wantStored(third)
}

func tooLarge(e *env) {
	if e.TooLarge == 0 {
		e.Skip("Config.TooLarge is not set")
	}
	large := e.record("large")
	large.Data = make([]byte, e.TooLarge)
	e.wantRefused(large, store.ErrTooLarge)
	e.wantAbsent(large.Key)

	rec := e.create("a")
	large = rec
	large.Data = make([]byte, e.TooLarge)
	e.wantRefused(large, store.ErrTooLarge)
	e.wantStored(rec)
	rec.Data = []byte("changed afterwards")
	e.wantStored(e.save(rec))
}
