package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func hostileCases() []testCase {
	return []testCase{
		{
			name: "K3Keys", run: hostileKeys,
			rule: "No key makes the store panic or affects another record. A key that the " +
				"backend cannot represent is an error; any other is stored as it is. Line ends " +
				"and NUL bytes are used to inject commands into protocols.",
		},
		{
			name: "K5Subjects", run: hostileSubjects,
			rule: "No subject makes the store panic or affects the records of another subject. " +
				"A subject that the backend cannot represent is an error; any other is returned " +
				"as it was.",
		},
		{
			name: "Expires", run: hostileExpires,
			rule: "No expiry, however far away, makes the store panic, keep a record forever or " +
				"end another one early. Times beyond the range of a number wrap around into the " +
				"past.",
		},
	}
}

func hostileKeys(e *env) {
	victim := e.createFor("a", e.name("subject"))
	for _, prefix := range []string{e.unique, e.unique + "a"} {
		for _, name := range hostileNames() {
			key := prefix + name
			if key == victim.Key || key == e.unique {
				continue
			}
			what := fmt.Sprintf("a method with the key %q", abbreviate(key))
			e.noPanic(what, func() { e.attackKey(key) })
			e.wantStored(victim)
		}
	}
	for _, key := range []string{"", "\x00", "\r\n", "\xff"} {
		what := fmt.Sprintf("Load with the key %q", key)
		e.noPanic(what, func() { _, _ = e.store.Load(e.ctx, key) })
	}
	e.wantStored(e.save(victim))
}

// attackKey calls every method with key. A record that the store accepts must be stored as it
// is.
func (e *env) attackKey(key string) {
	e.track(key)
	_, err := e.store.Load(e.ctx, key)
	if err == nil {
		e.Errorf("Load(%q) found a record that was never saved", abbreviate(key))
	}
	rec := store.Record{Key: key, Data: []byte("hostile"), Expires: time.Now().Add(time.Hour)}
	if saved, err := e.store.Save(e.ctx, rec); err == nil {
		rec.Version = saved.Version
		e.wantStored(rec)
		e.save(rec)
	} else if errors.Is(err, store.ErrConflict) {
		e.Errorf("Save(key %q, version 0) = %v, but there is no record", abbreviate(key), err)
	}
	if s, ok := e.store.(store.Toucher); ok {
		_ = s.Touch(e.ctx, store.Record{Key: key, Version: 1, Expires: rec.Expires})
	}
	if s, ok := e.store.(store.Lister); ok {
		_, _, _ = s.List(e.ctx, key, "", 10)
	}
	_ = e.store.Delete(e.ctx, key)
}

func hostileSubjects(e *env) {
	victim := e.createFor("victim", e.name("a"))
	for i, name := range hostileNames() {
		subject := e.unique + "a" + name
		if name == "" {
			continue
		}
		e.noPanic(fmt.Sprintf("a method with the subject %q", abbreviate(subject)), func() {
			e.attackSubject(fmt.Sprint("hostile", i), subject)
		})
		e.wantStored(victim)
		if s, ok := e.store.(store.Indexer); ok {
			if found, err := s.BySubject(e.ctx, victim.Subject); err == nil {
				e.wantRecords("BySubject of another subject", found, []store.Record{victim})
			}
		}
	}
}

// attackSubject saves a record of a hostile subject.
func (e *env) attackSubject(name, subject string) {
	s, indexed := e.store.(store.Indexer)
	if indexed {
		if found, err := s.BySubject(e.ctx, subject); err == nil && len(found) != 0 {
			e.Errorf("BySubject(%q) found a record that was never saved", abbreviate(subject))
		}
	}
	rec := e.record(name)
	rec.Subject = subject
	saved, err := e.store.Save(e.ctx, rec)
	if err != nil {
		e.wantAbsent(rec.Key)
		return
	}
	rec.Version = saved.Version
	e.wantStored(rec)
	if indexed {
		if found, err := s.BySubject(e.ctx, subject); err == nil {
			e.wantRecords("BySubject("+abbreviate(subject)+")", found, []store.Record{rec})
		}
	}
}

func hostileExpires(e *env) {
	kept := e.create("kept")
	for i, expires := range farTimes() {
		e.noPanic(fmt.Sprintf("a method with Expires %v", expires), func() {
			e.attackExpiry(fmt.Sprint("far", i), kept, expires)
		})
		e.wantStored(kept)
	}
	for _, seconds := range []int64{-9_300_000_000_000_000, -1 << 62} {
		expires := time.Unix(seconds, 0)
		e.noPanic(fmt.Sprintf("a method with Expires %v", expires), func() {
			e.attackPastExpiry(kept, expires)
		})
		e.wantStored(kept)
	}
}

// farTimes returns times at and beyond the limits of common representations.
func farTimes() []time.Time {
	return []time.Time{
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC),
		time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2318, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(1<<40, 0),
		time.Unix(1<<62, 0),
	}
}

// attackExpiry saves a record that expires far in the future, and touches the record kept with
// another version.
func (e *env) attackExpiry(name string, kept store.Record, expires time.Time) {
	rec := e.record(name)
	rec.Expires = expires
	_, err := e.store.Save(e.ctx, rec)
	switch {
	case err == nil:
		if !e.exists(rec.Key) {
			e.Errorf("the record that expires at %v, which is far away, is gone", expires)
		}
	case expires.Year() < 2300:
		e.Errorf("Save with Expires %v = %v, want success, because such a lifetime is allowed",
			expires, err)
	}
	if s, ok := e.store.(store.Toucher); ok {
		other := store.Record{Key: kept.Key, Version: kept.Version + 1, Expires: expires}
		_ = s.Touch(e.ctx, other)
	}
}

// attackPastExpiry saves a record that expired long ago, and touches the record kept.
func (e *env) attackPastExpiry(kept store.Record, expires time.Time) {
	rec := e.record("past")
	rec.Expires = expires
	if _, err := e.store.Save(e.ctx, rec); err == nil {
		e.Errorf("Save with Expires %v = nil, want an error, because it is not stored", expires)
	}
	e.wantAbsent(rec.Key)
	if s, ok := e.store.(store.Toucher); ok {
		_ = s.Touch(e.ctx, store.Record{Key: kept.Key, Version: kept.Version, Expires: expires})
	}
}
