package storetest

import "github.com/cloakroom-go/sessions/core/store"

func deleteCases() []testCase {
	return []testCase{
		{
			name: "Removes", run: deleteRemoves,
			rule: "After Delete no method finds the record. Otherwise the user is not logged out.",
		},
		{
			name: "AbsentIsNoError", run: deleteAbsent,
			rule: "Delete of a record that does not exist is not an error. Two requests may log " +
				"out at the same time.",
		},
		{
			name: "R1DeleteWinsOverSave", run: deleteWins,
			rule: "After Delete no Save with an older version brings the record back. Otherwise " +
				"a request that began before the logout undoes it (CVE-2025-46336).",
		},
		{
			name: "CreateAgain", run: createAgain,
			rule: "After Delete, Save with Version 0 creates a record under the key as under " +
				"any other.",
		},
	}
}

func deleteRemoves(e *env) {
	rec := e.createFor("a", e.name("subject"))
	stays := e.create("b")
	e.delete(rec.Key)
	e.wantAbsent(rec.Key)
	e.wantNowhere(rec)
	e.wantStored(stays)
}

func deleteAbsent(e *env) {
	rec := e.create("a")
	for _, key := range []string{e.name("never"), rec.Key, rec.Key, rec.Key} {
		if err := e.store.Delete(e.ctx, key); err != nil {
			e.Errorf("Delete(%q) = %v, want nil", key, err)
		}
	}
	e.wantAbsent(rec.Key)
}

func deleteWins(e *env) {
	first := e.create("a")
	second := e.save(first)
	if err := e.second.Delete(e.ctx, first.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	for _, rec := range []store.Record{first, second} {
		e.wantRefused(rec, store.ErrNotFound)
		e.wantAbsent(rec.Key)
	}
	e.wantNowhere(second)
}

func createAgain(e *env) {
	for range 3 {
		rec := e.create("a")
		e.wantStored(rec)
		e.delete(rec.Key)
	}
}
