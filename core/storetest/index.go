package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func indexCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: indexUnsupported,
			rule: "A BySubject that cannot be done answers errors.ErrUnsupported always, so that nobody takes an empty answer for no sessions.",
		},
		{
			name: "Finds", run: indexFinds,
			rule: "BySubject returns all records of the subject, whole as Load returns them, and nobody else's; sign out everywhere depends on it.",
		},
		{
			name: "NobodyHasNone", run: indexNobody,
			rule: "A subject without records is an empty result and no error.",
		},
		{
			name: "EmptySubject", run: indexEmptySubject,
			rule: "The empty subject is nobody's: BySubject returns nothing, not all anonymous sessions.",
		},
		{
			name: "FollowsSave", run: indexFollowsSave,
			rule: "A Save under another subject moves the record: the new subject has it, the old one has not; otherwise signing out one user ends another's session, or leaves one alive.",
		},
		{
			name: "ForgetsDeleted", run: indexForgetsDeleted,
			rule: "A deleted record is not returned, and another one created under its key belongs to its own subject only.",
		},
		{
			name: "K5SubjectsAreSeparate", run: indexSeparate,
			rule: "Subjects have nothing to do with each other, nor with keys, also when one is the beginning of another or contains what the backend takes for a pattern or a separator.",
		},
		{
			name: "OutlivesOldExpiry", run: indexOutlives, clock: true,
			rule: "An index entry lives as long as the record: a later Save with a longer life, or another record of the subject with a shorter one, does not make it forgotten.",
		},
		{
			name: "R3CompleteDuringSaves", run: indexComplete,
			rule: "A record whose Save returned before BySubject was called is in the result, whatever else is being saved; one that is missed survives a sign out everywhere.",
		},
		{
			name: "RaceOfSubjects", run: indexRace,
			rule: "After any number of saves under different subjects at once, the record is with the subject it has, and with no other.",
		},
	}
}

func indexUnsupported(e *env) {
	s, ok := e.store.(store.Indexer)
	if !ok {
		e.Skip("the store has no BySubject")
	}
	rec := e.record("a")
	rec.Subject = e.name("subject")
	rec = e.save(rec)
	unsupported, subjects := 0, []string{rec.Subject, e.name("nobody"), "x", ""}
	for _, subject := range subjects {
		if _, err := s.BySubject(e.ctx, subject); errors.Is(err, errors.ErrUnsupported) {
			unsupported++
		}
	}
	if unsupported != 0 && unsupported != len(subjects) {
		e.Errorf("%d of %d calls of BySubject answered errors.ErrUnsupported, want all or none", unsupported, len(subjects))
	}
}

// belongs checks that exactly these records are the subject's.
func (e *env) belongs(subject string, want ...store.Record) {
	e.Helper()
	s, _ := e.second.(store.Indexer)
	got, err := s.BySubject(e.ctx, subject)
	if err != nil {
		e.Fatalf("BySubject(%q) = %v", short(subject), err)
	}
	e.exactly("BySubject("+short(subject)+")", got, want)
}

// exactly checks that got has the records of want, each once, in any order.
func (e *env) exactly(what string, got, want []store.Record) {
	e.Helper()
	byKey := make(map[string]store.Record, len(got))
	for _, rec := range got {
		if _, twice := byKey[rec.Key]; twice {
			e.Errorf("%s returned %q twice", what, rec.Key)
		}
		byKey[rec.Key] = rec
	}
	for _, rec := range want {
		if found, ok := byKey[rec.Key]; !ok {
			e.Errorf("%s misses %q", what, rec.Key)
		} else {
			e.same(what, found, rec)
		}
		delete(byKey, rec.Key)
	}
	for key := range byKey {
		e.Errorf("%s returned %q, which does not belong there", what, key)
	}
}

// createFor creates a record of a subject.
func (e *env) createFor(name, subject string) store.Record {
	e.Helper()
	rec := e.record(name)
	rec.Subject = subject
	return e.save(rec)
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
	e.belongs(alice, hers...)
	e.belongs(bob, his)
}

func indexNobody(e *env) {
	e.indexer()
	e.belongs(e.name("nobody"))
}

func indexEmptySubject(e *env) {
	e.indexer()
	e.create("anonymous")
	rec := e.createFor("was-somebodys", e.name("subject"))
	rec.Subject = ""
	e.save(rec)
	e.belongs("")
}

func indexFollowsSave(e *env) {
	e.indexer()
	alice, bob := e.name("alice"), e.name("bob")
	rec := e.create("a")
	stays := e.createFor("b", alice)
	for range 3 {
		rec.Subject = alice
		rec = e.save(rec)
		e.belongs(alice, rec, stays)
		rec.Subject = bob
		rec = e.save(rec)
		e.belongs(alice, stays)
		e.belongs(bob, rec)
		rec.Subject = ""
		rec = e.save(rec)
		e.belongs(bob)
	}
	stale := rec
	stale.Version, stale.Subject = stays.Version, bob
	if stale.Version != rec.Version {
		e.refused(stale, store.ErrConflict)
	}
	e.belongs(bob)
}

func indexForgetsDeleted(e *env) {
	e.indexer()
	alice, bob := e.name("alice"), e.name("bob")
	stays := e.createFor("b", alice)
	for range 3 {
		rec := e.createFor("a", alice)
		e.belongs(alice, rec, stays)
		if err := e.store.Delete(e.ctx, rec.Key); err != nil {
			e.Fatalf("Delete = %v", err)
		}
		e.belongs(alice, stays)
	}
	his := e.createFor("a", bob)
	e.belongs(alice, stays)
	e.belongs(bob, his)
}

func indexSeparate(e *env) {
	e.indexer()
	all := make(map[string]store.Record)
	for i, name := range lookalikes() {
		subject := e.name(name)
		all[subject] = e.createFor(fmt.Sprint("record", i), subject)
	}
	for subject, rec := range all {
		e.belongs(subject, rec)
	}
	// A key is no subject and a subject is no key, though they be spelled alike.
	rec := e.createFor("k", e.name("s"))
	e.belongs(rec.Key)
	e.gone(rec.Subject)
	same := e.record("same")
	same.Subject = same.Key
	same = e.save(same)
	e.belongs(same.Key, same)
	e.stored(same)
}

func indexOutlives(e *env) {
	e.indexer()
	alice := e.name("alice")
	soon := e.soon()
	prolonged := e.record("prolonged")
	prolonged.Subject, prolonged.Expires = alice, soon
	prolonged = e.save(prolonged)
	long := e.record("long")
	long.Subject, long.Expires = alice, soon.Add(time.Hour)
	long = e.save(long)
	brief := e.record("brief")
	brief.Subject, brief.Expires = alice, soon
	brief = e.save(brief)
	prolonged.Expires = soon.Add(2 * time.Hour)
	prolonged = e.save(prolonged)
	e.belongs(alice, prolonged, long, brief)
	e.sleepPast(soon)
	e.belongs(alice, prolonged, long)
}

func indexComplete(e *env) {
	s := e.indexer()
	const writers, each = 6, 15
	alice, bob := e.name("alice"), e.name("bob")
	together(writers, func(n int) {
		kept := make(map[string]bool)
		for i := range each {
			name := fmt.Sprintf("%d-%d", n, i)
			rec, err := e.handle(n).Save(e.ctx, store.Record{Key: e.name(name), Subject: alice, Data: []byte(name), Expires: time.Now().Add(time.Hour)})
			if err != nil {
				e.Errorf("Save = %v", err)
				return
			}
			kept[rec.Key] = true
			if i%3 == 1 { // saved again, under the same subject
				if _, err = e.handle(n).Save(e.ctx, rec); err != nil {
					e.Errorf("Save = %v", err)
				}
			}
			if i%5 == 2 {
				rec.Key, rec.Version, rec.Subject = e.name(name+"-his"), 0, bob
				_, _ = e.handle(n).Save(e.ctx, rec)
			}
			if i%5 == 4 {
				if err := e.handle(n).Delete(e.ctx, rec.Key); err != nil {
					e.Errorf("Delete = %v", err)
				}
				kept[rec.Key] = false
			}
			e.includes(s, alice, n, kept)
		}
	})
}

// includes checks that the records which writer n kept are among the subject's, and those it deleted are not.
func (e *env) includes(s store.Indexer, subject string, n int, kept map[string]bool) {
	e.Helper()
	found, err := s.BySubject(e.ctx, subject)
	if err != nil {
		e.Errorf("BySubject = %v", err)
	}
	got := make(map[string]bool, len(found))
	for _, rec := range found {
		got[rec.Key] = true
		if rec.Subject != subject {
			e.Errorf("BySubject returned a record of another subject")
		}
	}
	for key, there := range kept {
		switch {
		case there && !got[key]:
			e.Errorf("BySubject misses %q, which writer %d had saved before the call", key, n)
		case !there && got[key]:
			e.Errorf("BySubject returned %q, which writer %d had deleted before the call", key, n)
		}
	}
}

func indexRace(e *env) {
	e.indexer()
	const contenders = 6
	for i := range rounds() {
		rec := e.createFor(fmt.Sprint(i), e.name(fmt.Sprint("subject", i)))
		together(contenders, func(n int) {
			next := rec
			next.Subject = e.name(fmt.Sprint("subject", i, "of", n))
			if _, err := e.handle(n).Save(e.ctx, next); err != nil {
				e.is(err, store.ErrConflict, "Save at once with others")
			}
		})
		now, err := e.store.Load(e.ctx, rec.Key)
		if err != nil {
			e.Fatalf("Load = %v", err)
		}
		e.belongs(rec.Subject)
		for n := range contenders {
			if subject := e.name(fmt.Sprint("subject", i, "of", n)); subject == now.Subject {
				e.belongs(subject, now)
			} else {
				e.belongs(subject)
			}
		}
	}
}
