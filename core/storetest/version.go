package storetest

import "github.com/cloakroom-go/sessions/core/store"

func versionCases() []testCase {
	return []testCase{
		{
			name: "ChangesWithEachSave", run: versionChanges,
			rule: "The version changes with each Save, even if the content does not, and no " +
				"version returns. Otherwise a request that misses two changes overwrites both.",
		},
		{
			name: "NeverReusedAfterDelete", run: versionNotReused,
			rule: "A version is never used again for the same key, not even after a Delete. " +
				"Otherwise a request that began before the logout overwrites the session " +
				"created after it.",
		},
		{
			name: "NeverReusedAfterExpiry", run: versionNotReusedAfterExpiry, waits: true,
			rule: "A version is never used again for the same key, not even after the record " +
				"expired. Otherwise a slow request overwrites a session other than the one it " +
				"loaded.",
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
				e.wantRefused(old, store.ErrConflict)
			}
			e.wantStored(rec)
			earlier = append(earlier, rec)
			rec = e.save(rec)
		}
		earlier = append(earlier, rec)
		e.delete(rec.Key)
	}
}

func versionNotReusedAfterExpiry(e *env) {
	old := e.record("a")
	old.Expires = e.soon()
	old = e.save(old)
	e.sleepPast(old.Expires)
	rec := e.create("a")
	if rec.Version == old.Version {
		e.Errorf("the record created after the old one expired has the same version %d",
			old.Version)
	}
	old.Expires = rec.Expires
	e.wantRefused(old, store.ErrConflict)
	e.wantStored(rec)
}
