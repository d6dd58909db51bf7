package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func subjectKeysCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: subjectKeysUnsupported,
			rule: "If the store cannot walk a subject's keys, SubjectKeys always returns " +
				"errors.ErrUnsupported, so that no caller takes an empty result to mean that " +
				"there are no sessions.",
		},
		{
			name: "Finds", run: subjectKeysFinds,
			rule: "The pages of SubjectKeys contain the key of every record of the subject at " +
				"least once, and no others, for any limit. The number of pages is finite. " +
				"Signing a user out everywhere depends on it.",
		},
		{
			name: "PagesAreLimited", run: subjectKeysPages,
			rule: "A page contains about as many keys as the caller asked for. A subject with " +
				"very many records must not need memory for all of them.",
		},
		{
			name: "EmptySubject", run: subjectKeysEmptySubject,
			rule: "SubjectKeys of the empty subject returns nothing, not the keys of all " +
				"anonymous sessions.",
		},
		{
			name: "FollowsSave", run: subjectKeysFollowSave,
			rule: "SubjectKeys returns a key under the subject with which the record was last " +
				"saved, and no key of a deleted record. Otherwise signing out one user ends " +
				"another user's session or leaves one alive.",
		},
		{
			name: "K5SubjectsAreSeparate", run: subjectKeysSeparate,
			rule: "Subjects do not affect each other, even if one is a prefix of another or " +
				"contains what the backend takes for a pattern or a separator.",
		},
		{
			name: "X7NotExpired", run: subjectKeysNotExpired, waits: true,
			rule: "SubjectKeys does not return the key of an expired record, even if the store " +
				"has not removed it yet. It does return that of a record that never expires.",
		},
		{
			name: "BadCursor", run: subjectKeysBadCursor,
			rule: "A cursor that the store did not return is an error. If SubjectKeys started " +
				"over or ended instead, the caller would miss records.",
		},
		{
			name: "WalkThatDeletes", run: subjectKeysDeleting,
			rule: "A walk that deletes the records of each page before it asks for the next one " +
				"misses none. A record it misses survives a sign-out everywhere.",
		},
		{
			name: "WalkThatMoves", run: subjectKeysMoving,
			rule: "A walk that saves the records of each page under another subject before it " +
				"asks for the next one misses none.",
		},
		{
			name: "WalkOfWhatIsSaved", run: subjectKeysSaving,
			rule: "A walk does not miss a record that is saved again under its subject before " +
				"the walk reaches it. A user in the middle of a request is signed out too.",
		},
		{
			name: "R3CompleteDuringChanges", run: subjectKeysComplete,
			rule: "A walk returns the key of every record that belongs to the subject from its " +
				"start to its end, whatever is saved and deleted meanwhile, and the walk ends.",
		},
	}
}

func subjectKeysUnsupported(e *env) {
	s, ok := e.store.(store.SubjectPager)
	if !ok {
		e.Skip("the store has no SubjectKeys")
	}
	rec := e.createFor("a", e.name("subject"))
	e.wantAllOrNoneSupported("SubjectKeys", rec.Subject, func(subject string) error {
		_, _, err := s.SubjectKeys(e.ctx, subject, "", 10)
		return err
	})
}

func subjectKeysFinds(e *env) {
	e.subjectPager()
	alice, bob := e.name("alice"), e.name("bob")
	hers := e.createManyFor(alice, "hers", 60)
	his := e.createManyFor(bob, "his", 20)
	e.createMany("nobody's", 20)
	permanent := e.record("permanent")
	permanent.Subject, permanent.Expires = alice, time.Time{}
	hers = append(hers, e.save(permanent))
	for _, limit := range []int{1, 7, 61, 1000, 0, -1} {
		e.wantKeys(alice, limit, hers...)
		e.wantKeys(bob, limit, his...)
		e.wantKeys(e.name("nobody"), limit)
	}
}

func subjectKeysPages(e *env) {
	s := e.subjectPager()
	const limit, records = 5, 80
	alice := e.name("alice")
	e.createManyFor(alice, "x", records)
	e.walkSubject(s, alice, limit, func(keys []string) {
		if len(keys) > records/2 {
			e.Errorf("SubjectKeys(limit %d) returned a page of %d keys", limit, len(keys))
		}
	})
}

func subjectKeysEmptySubject(e *env) {
	e.subjectPager()
	e.create("anonymous")
	rec := e.createFor("was-somebodys", e.name("subject"))
	rec.Subject = ""
	e.save(rec)
	e.wantKeys("", 10)
}

func subjectKeysFollowSave(e *env) {
	e.subjectPager()
	alice, bob := e.name("alice"), e.name("bob")
	rec := e.create("a")
	stays := e.createFor("b", alice)
	for range 3 {
		rec.Subject = alice
		rec = e.save(rec)
		e.wantKeys(alice, 10, rec, stays)
		rec.Subject = bob
		rec = e.save(rec)
		e.wantKeys(alice, 10, stays)
		e.wantKeys(bob, 10, rec)
		rec.Subject = ""
		rec = e.save(rec)
		e.wantKeys(bob, 10)
	}
	e.delete(stays.Key)
	e.wantKeys(alice, 10)
	again := e.createFor("b", bob)
	e.wantKeys(alice, 10)
	e.wantKeys(bob, 10, again)
}

func subjectKeysSeparate(e *env) {
	e.subjectPager()
	all := make(map[string]store.Record)
	for i, name := range similarNames() {
		subject := e.name(name)
		all[subject] = e.createFor(fmt.Sprint("record", i), subject)
	}
	for subject, rec := range all {
		e.wantKeys(subject, 10, rec)
		e.wantKeys(rec.Key, 10)
	}
}

func subjectKeysNotExpired(e *env) {
	s := e.subjectPager()
	alice := e.name("alice")
	soon := e.soon()
	expiring := func(name string, expires time.Time) store.Record {
		rec := e.record(name)
		rec.Subject, rec.Expires = alice, expires
		return e.save(rec)
	}
	never := expiring("never", time.Time{})
	stays := expiring("stays", soon.Add(24*time.Hour))
	ends := expiring("ends", soon)
	extended := expiring("extended", soon)
	extended.Expires = soon.Add(24 * time.Hour)
	extended = e.save(extended)
	e.wantExpiry("SubjectKeys", soon, func() bool {
		found := e.walkSubject(s, alice, 10, nil)
		e.wantWalkedKeys(found, []store.Record{never, stays, extended})
		return found[ends.Key]
	})
}

func subjectKeysBadCursor(e *env) {
	s := e.subjectPager()
	alice := e.name("alice")
	e.createManyFor(alice, "x", 3)
	for _, cursor := range []string{
		"no cursor of this store", "-1", "999999999999999999999999",
		"\x00\xff", "*", " ", strings.Repeat("x", 10_000),
	} {
		keys, next, err := s.SubjectKeys(e.ctx, alice, cursor, 10)
		if err == nil {
			e.Errorf("SubjectKeys(cursor %q) = %d keys, next %q and no error, want an error",
				abbreviate(cursor), len(keys), next)
		}
	}
}
