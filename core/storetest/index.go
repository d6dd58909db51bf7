package storetest

import (
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func indexCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: indexUnsupported,
			rule: "If the store has no index, BySubject always returns errors.ErrUnsupported, " +
				"so that no caller takes an empty result to mean that there are no sessions.",
		},
		{
			name: "Finds", run: indexFinds,
			rule: "BySubject returns all records of the subject, as complete as Load returns " +
				"them, and no others. Signing a user out everywhere depends on it.",
		},
		{
			name: "NobodyHasNone", run: indexNobody,
			rule: "BySubject of a subject without records returns an empty result and no error.",
		},
		{
			name: "EmptySubject", run: indexEmptySubject,
			rule: "BySubject of the empty subject returns nothing, not all anonymous sessions.",
		},
		{
			name: "FollowsSave", run: indexFollowsSave,
			rule: "Save with another subject moves the record from the old subject to the new " +
				"one. Otherwise signing out one user ends another user's session or leaves one " +
				"alive.",
		},
		{
			name: "ForgetsDeleted", run: indexForgetsDeleted,
			rule: "BySubject does not return a deleted record. A record created under the same " +
				"key belongs to its own subject only.",
		},
		{
			name: "K5SubjectsAreSeparate", run: indexSeparate,
			rule: "Subjects do not affect each other or any key, even if one is a prefix of " +
				"another or contains what the backend takes for a pattern or a separator.",
		},
		{
			name: "OutlivesOldExpiry", run: indexOutlives, waits: true,
			rule: "An index entry lives as long as its record. A later Save that extends the " +
				"record, or another record of the subject that expires sooner, does not remove " +
				"it.",
		},
		{
			name: "R3CompleteDuringSaves", run: indexComplete,
			rule: "BySubject returns every record whose Save returned before the call, whatever " +
				"else is being saved. A record it misses survives a sign-out everywhere.",
		},
		{
			name: "RaceOfSubjects", run: indexRace,
			rule: "After concurrent saves with different subjects, the index lists the record " +
				"under the subject it has and under no other.",
		},
	}
}

func indexUnsupported(e *env) {
	s, ok := e.store.(store.Indexer)
	if !ok {
		e.Skip("the store has no BySubject")
	}
	rec := e.createFor("a", e.name("subject"))
	e.wantAllOrNoneSupported("BySubject", rec.Subject, func(subject string) error {
		_, err := s.BySubject(e.ctx, subject)
		return err
	})
}

func indexFinds(e *env) {
	e.indexer()
	alice, bob := e.name("alice"), e.name("bob")
	var hers []store.Record
	for i := range 40 {
		hers = append(hers, e.createFor(fmt.Sprint("hers", i), alice))
	}
	his := e.createFor("his", bob)
	e.create("nobody's")
	permanent := e.record("permanent")
	permanent.Subject, permanent.Expires = alice, time.Time{}
	hers = append(hers, e.save(permanent))
	for i := range hers {
		if i%3 == 0 {
			hers[i].Data = []byte("changed")
			hers[i] = e.save(hers[i])
		}
	}
	e.wantIndexed(alice, hers...)
	e.wantIndexed(bob, his)
}

func indexNobody(e *env) {
	e.indexer()
	e.wantIndexed(e.name("nobody"))
}

func indexEmptySubject(e *env) {
	e.indexer()
	e.create("anonymous")
	rec := e.createFor("was-somebodys", e.name("subject"))
	rec.Subject = ""
	e.save(rec)
	e.wantIndexed("")
}

func indexFollowsSave(e *env) {
	e.indexer()
	alice, bob := e.name("alice"), e.name("bob")
	rec := e.create("a")
	stays := e.createFor("b", alice)
	for range 3 {
		rec.Subject = alice
		rec = e.save(rec)
		e.wantIndexed(alice, rec, stays)
		rec.Subject = bob
		rec = e.save(rec)
		e.wantIndexed(alice, stays)
		e.wantIndexed(bob, rec)
		rec.Subject = ""
		rec = e.save(rec)
		e.wantIndexed(bob)
	}
	stale := rec
	stale.Version, stale.Subject = stays.Version, bob
	if stale.Version != rec.Version {
		e.wantRefused(stale, store.ErrConflict)
	}
	e.wantIndexed(bob)
}

func indexForgetsDeleted(e *env) {
	e.indexer()
	alice, bob := e.name("alice"), e.name("bob")
	stays := e.createFor("b", alice)
	for range 3 {
		rec := e.createFor("a", alice)
		e.wantIndexed(alice, rec, stays)
		e.delete(rec.Key)
		e.wantIndexed(alice, stays)
	}
	his := e.createFor("a", bob)
	e.wantIndexed(alice, stays)
	e.wantIndexed(bob, his)
}

func indexSeparate(e *env) {
	e.indexer()
	all := make(map[string]store.Record)
	for i, name := range similarNames() {
		subject := e.name(name)
		all[subject] = e.createFor(fmt.Sprint("record", i), subject)
	}
	for subject, rec := range all {
		e.wantIndexed(subject, rec)
	}
	// A key is not a subject and a subject is not a key, even if they are spelled alike.
	rec := e.createFor("k", e.name("s"))
	e.wantIndexed(rec.Key)
	e.wantAbsent(rec.Subject)
	same := e.record("same")
	same.Subject = same.Key
	same = e.save(same)
	e.wantIndexed(same.Key, same)
	e.wantStored(same)
}

func indexOutlives(e *env) {
	e.indexer()
	alice := e.name("alice")
	soon := e.soon()
	expiring := func(name string, expires time.Time) store.Record {
		rec := e.record(name)
		rec.Subject, rec.Expires = alice, expires
		return e.save(rec)
	}
	extended := expiring("extended", soon)
	long := expiring("long", soon.Add(time.Hour))
	short := expiring("short", soon)
	extended.Expires = soon.Add(2 * time.Hour)
	extended = e.save(extended)
	e.wantIndexed(alice, extended, long, short)
	e.sleepPast(soon)
	e.wantIndexed(alice, extended, long)
}

func indexComplete(e *env) {
	s := e.indexer()
	const writers, each = 6, 15
	alice, bob := e.name("alice"), e.name("bob")
	concurrently(writers, func(n int) {
		w := &indexWriter{env: e, store: e.handle(n), n: n, kept: make(map[string]bool)}
		for i := range each {
			if !w.write(i, alice, bob) {
				return
			}
			w.wantIncluded(s, alice)
		}
	})
}

// indexWriter saves and deletes records of a subject while others do the same.
type indexWriter struct {
	*env
	store store.Store
	n     int
	kept  map[string]bool // by key of its records: whether it is stored
}

// write saves a record of subject. Then, depending on i, it saves the record again, saves
// another one of the other subject, or deletes the record. It reports whether the first save
// succeeded.
func (w *indexWriter) write(i int, subject, other string) bool {
	name := fmt.Sprintf("%d-%d", w.n, i)
	rec := store.Record{
		Key: w.name(name), Subject: subject,
		Data: []byte(name), Expires: time.Now().Add(time.Hour),
	}
	rec, err := w.store.Save(w.ctx, rec)
	if err != nil {
		w.Errorf("Save = %v", err)
		return false
	}
	w.kept[rec.Key] = true
	if i%3 == 1 {
		if _, err = w.store.Save(w.ctx, rec); err != nil {
			w.Errorf("Save = %v", err)
		}
	}
	if i%5 == 2 {
		rec.Key, rec.Version, rec.Subject = w.name(name+"-other"), 0, other
		_, _ = w.store.Save(w.ctx, rec)
	}
	if i%5 == 4 {
		if err := w.store.Delete(w.ctx, rec.Key); err != nil {
			w.Errorf("Delete = %v", err)
		}
		w.kept[rec.Key] = false
	}
	return true
}

// wantIncluded checks that BySubject returns the records that w kept and not those it deleted.
func (w *indexWriter) wantIncluded(s store.Indexer, subject string) {
	w.Helper()
	found, err := s.BySubject(w.ctx, subject)
	if err != nil {
		w.Errorf("BySubject = %v", err)
	}
	got := make(map[string]bool, len(found))
	for _, rec := range found {
		got[rec.Key] = true
		if rec.Subject != subject {
			w.Errorf("BySubject returned a record of another subject")
		}
	}
	for key, kept := range w.kept {
		switch {
		case kept && !got[key]:
			w.Errorf("BySubject did not return %q, which writer %d had saved before the call",
				key, w.n)
		case !kept && got[key]:
			w.Errorf("BySubject returned %q, which writer %d had deleted before the call",
				key, w.n)
		}
	}
}

func indexRace(e *env) {
	e.indexer()
	const callers = 6
	for i := range rounds() {
		subjectOf := func(n int) string { return e.name(fmt.Sprint("subject", i, "of", n)) }
		rec := e.createFor(fmt.Sprint(i), e.name(fmt.Sprint("subject", i)))
		concurrently(callers, func(n int) {
			next := rec
			next.Subject = subjectOf(n)
			if _, err := e.handle(n).Save(e.ctx, next); err != nil {
				e.wantErr(err, store.ErrConflict, "Save while others save")
			}
		})
		now, err := e.store.Load(e.ctx, rec.Key)
		if err != nil {
			e.Fatalf("Load = %v", err)
		}
		e.wantIndexed(rec.Subject)
		for n := range callers {
			if subjectOf(n) == now.Subject {
				e.wantIndexed(now.Subject, now)
			} else {
				e.wantIndexed(subjectOf(n))
			}
		}
	}
}
