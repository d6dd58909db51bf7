package storetest

import (
	"errors"

	"github.com/cloakroom-go/sessions/core/store"
)

func versionCases() []testCase {
	return []testCase{
		{
			name: "ChangesWithEachSave", run: versionChanges,
			rule: "The version changes with each Save, also of equal content, and no version comes back; otherwise a request that slept through two changes overwrites both.",
		},
		{
			name: "NeverReusedAfterDelete", run: versionNotReused,
			rule: "A version is never used again for the same key, not even after a Delete; otherwise a request from before the logout saves over the session that was made after it.",
		},
		{
			name: "NeverReusedAfterExpiry", run: versionNotReusedAfterExpiry, clock: true,
			rule: "A version is never used again for the same key, not even after the record expired; otherwise a sleeping request saves over a session that is not the one it loaded.",
		},
	}
}

func versionChanges(e *env) {
	rec := e.create("a")
	seen := map[uint64]bool{rec.Version: true}
	for range 20 {
		rec = e.save(rec)
		if seen[rec.Version] {
			e.Fatalf("version %d was used twice", rec.Version)
		}
		seen[rec.Version] = true
	}
}

func versionNotReused(e *env) {
	var earlier []store.Record
	for range 5 {
		rec := e.create("a")
		for range 3 {
			for _, old := range earlier {
				e.refused(old, store.ErrConflict)
			}
			e.stored(rec)
			earlier = append(earlier, rec)
			rec = e.save(rec)
		}
		earlier = append(earlier, rec)
		if err := e.store.Delete(e.ctx, rec.Key); err != nil {
			e.Fatalf("Delete = %v", err)
		}
	}
}

func versionNotReusedAfterExpiry(e *env) {
	old := e.record("a")
	old.Expires = e.soon()
	old = e.save(old)
	e.sleepPast(old.Expires)
	rec := e.create("a")
	if rec.Version == old.Version {
		e.Errorf("the record created after the old one expired has its version %d", old.Version)
	}
	old.Expires = rec.Expires
	e.refused(old, store.ErrConflict)
	e.stored(rec)
}

func deleteCases() []testCase {
	return []testCase{
		{
			name: "Removes", run: deleteRemoves,
			rule: "After Delete the record is not found by any method; a logout that leaves it behind is none.",
		},
		{
			name: "AbsentIsNoError", run: deleteAbsent,
			rule: "Delete of a record that is not there is no error; two requests may log out at once.",
		},
		{
			name: "R1DeleteWinsOverSave", run: deleteWins,
			rule: "After Delete no Save with an older version brings the record back: dead stays dead. A request that began before the logout would otherwise undo it (CVE-2025-46336).",
		},
		{
			name: "CreateAgain", run: createAgain,
			rule: "After Delete a Save with Version 0 creates a record under the key like any other.",
		},
	}
}

func deleteRemoves(e *env) {
	rec := e.record("a")
	rec.Subject = e.name("subject")
	rec = e.save(rec)
	stays := e.create("b")
	if err := e.store.Delete(e.ctx, rec.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	e.gone(rec.Key)
	e.nowhere(rec)
	e.stored(stays)
}

func deleteAbsent(e *env) {
	rec := e.create("a")
	for _, key := range []string{e.name("never"), rec.Key, rec.Key, rec.Key} {
		if err := e.store.Delete(e.ctx, key); err != nil {
			e.Errorf("Delete(%q) = %v, want nil", key, err)
		}
	}
	e.gone(rec.Key)
}

func deleteWins(e *env) {
	first := e.create("a")
	second := e.save(first)
	if err := e.second.Delete(e.ctx, first.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	for _, rec := range []store.Record{first, second} {
		e.refused(rec, store.ErrNotFound)
		e.gone(rec.Key)
	}
	e.nowhere(second)
}

func createAgain(e *env) {
	for range 3 {
		rec := e.create("a")
		e.stored(rec)
		if err := e.store.Delete(e.ctx, rec.Key); err != nil {
			e.Fatalf("Delete = %v", err)
		}
	}
}

// nowhere checks that the optional methods do not know the record either.
func (e *env) nowhere(rec store.Record) {
	e.Helper()
	if s, ok := e.second.(store.Indexer); ok && rec.Subject != "" {
		if found, err := s.BySubject(e.ctx, rec.Subject); (err != nil && !errors.Is(err, errors.ErrUnsupported)) || len(found) != 0 {
			e.Errorf("BySubject returned %d records and the error %v, want none: the record is gone", len(found), err)
		}
	}
	if s, ok := e.second.(store.Lister); ok {
		if found := e.walk(s, rec.Key, 10); len(found) != 0 {
			e.Errorf("List returned a record that is gone")
		}
	}
	if s, ok := e.second.(store.Toucher); ok {
		if err := s.Touch(e.ctx, extended(rec, rec.Expires.Add(1e9))); !errors.Is(err, store.ErrNotFound) && !errors.Is(err, errors.ErrUnsupported) {
			e.Errorf("Touch of a record that is gone = %v, want ErrNotFound", err)
		}
	}
	e.gone(rec.Key)
}
