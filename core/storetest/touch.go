package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func touchCases() []testCase {
	return []testCase{
		{
			name: "Unsupported", run: touchUnsupported,
			rule: "A Touch that cannot be done answers errors.ErrUnsupported always, so that the manager can settle on saving instead.",
		},
		{
			name: "Extends", run: touchExtends, clock: true,
			rule: "Touch moves the expiry: the record outlives its old one, ends at the new one, and is found by every method until then.",
		},
		{
			name: "NeverShortens", run: touchNeverShortens, clock: true,
			rule: "Touch to an earlier instant succeeds and changes nothing; requests arrive out of order, and a late one must not end the session early.",
		},
		{
			name: "NeverCreates", run: touchNeverCreates,
			rule: "Touch of a record that is gone is ErrNotFound and nothing is there afterwards: a request that only reads must not undo a logout (R1).",
		},
		{
			name: "LeavesDataAndVersion", run: touchLeavesData,
			rule: "Touch leaves data, subject and version as they are, so that a save under way elsewhere does not meet a conflict for nothing.",
		},
		{
			name: "OtherVersion", run: touchOtherVersion,
			rule: "Touch with another version than the stored one is ErrConflict and changes nothing: whoever touches must see first that the session has changed.",
		},
		{
			name: "PermanentStays", run: touchPermanent,
			rule: "Touch of a record that never expires succeeds and changes nothing; giving it an expiry would shorten its life.",
		},
		{
			name: "ToNever", run: touchToNever,
			rule: "Touch to the zero time makes the record permanent: zero means never here as in a record.",
		},
		{
			name: "RaceWithSave", run: touchRaceSave,
			rule: "A touch and a save at once end in what was saved, with its data and its expiry: the touch comes before it, or meets ErrConflict.",
		},
		{
			name: "RaceWithTouch", run: touchRaceTouch,
			rule: "Of many touches at once the latest expiry holds, in whatever order they arrive.",
		},
		{
			name: "R1RaceWithDelete", run: touchRaceDelete,
			rule: "A touch and a delete at once end in no record: dead stays dead.",
		},
	}
}

func (e *env) touch(s store.Toucher, rec store.Record, expires time.Time) {
	e.Helper()
	if err := s.Touch(e.ctx, extended(rec, expires)); err != nil {
		e.Fatalf("Touch = %v, want success", err)
	}
}

func touchUnsupported(e *env) {
	s, ok := e.store.(store.Toucher)
	if !ok {
		e.Skip("the store has no Touch")
	}
	rec := e.create("a")
	unsupported := 0
	errs := []error{
		s.Touch(e.ctx, store.Record{Key: e.name("absent"), Version: 1, Expires: rec.Expires}),
		s.Touch(e.ctx, store.Record{Key: rec.Key, Version: rec.Version + 1, Expires: rec.Expires.Add(1e9)}),
		s.Touch(e.ctx, extended(rec, rec.Expires.Add(-1e9))),
		s.Touch(e.ctx, extended(rec, rec.Expires.Add(1e9))),
		s.Touch(e.ctx, extended(rec, time.Time{})),
	}
	for _, err := range errs {
		if errors.Is(err, errors.ErrUnsupported) {
			unsupported++
		}
	}
	if unsupported != 0 && unsupported != len(errs) {
		e.Errorf("%d of %d calls of Touch answered errors.ErrUnsupported, want all or none", unsupported, len(errs))
	}
}

func touchExtends(e *env) {
	s := e.toucher()
	rec := e.record("a")
	rec.Expires, rec.Subject = e.soon(), e.name("subject")
	rec = e.save(rec)
	first := rec.Expires
	rec.Expires = first.Add(time.Until(first))
	e.touch(s, rec, rec.Expires)
	e.stored(rec)
	e.sleepPast(first)
	e.stored(rec)
	if s, ok := e.store.(store.Indexer); ok {
		if found, err := s.BySubject(e.ctx, rec.Subject); err == nil && len(found) != 1 {
			e.Errorf("BySubject has forgotten the record at its old expiry, which a touch had moved")
		}
	}
	if s, ok := e.store.(store.Lister); ok {
		if found, err := e.pages(s, rec.Key, 10); err == nil && len(found) != 1 {
			e.Errorf("List has forgotten the record at its old expiry, which a touch had moved")
		}
	}
	e.ends("Load after Touch", rec.Expires, func() bool { return e.loads(rec.Key) })
}

func touchNeverShortens(e *env) {
	s := e.toucher()
	rec := e.record("a")
	soon := e.soon()
	rec.Expires = soon.Add(time.Hour)
	rec = e.save(rec)
	for _, expires := range append(past(), rec.Expires.Add(-time.Minute), soon) {
		e.touch(s, rec, expires)
		e.stored(rec)
	}
	e.sleepPast(soon)
	e.stored(rec)
}

func touchNeverCreates(e *env) {
	s := e.toucher()
	later := time.Now().Add(2 * time.Hour)
	absent := e.name("absent")
	for _, version := range []uint64{0, 1, ^uint64(0)} {
		e.is(s.Touch(e.ctx, store.Record{Key: absent, Version: version, Expires: later}), store.ErrNotFound, "Touch(absent, version %d)", version)
		e.gone(absent)
	}
	rec := e.record("deleted")
	rec.Subject = e.name("subject")
	rec = e.save(rec)
	if err := e.second.Delete(e.ctx, rec.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	e.is(s.Touch(e.ctx, extended(rec, later)), store.ErrNotFound, "Touch after Delete")
	e.nowhere(rec)
	again := e.record("deleted")
	e.stored(e.save(again))
}

func touchLeavesData(e *env) {
	s := e.toucher()
	rec := e.record("a")
	rec.Subject, rec.Data = e.name("subject"), payloads()[6]
	rec = e.save(rec)
	for range 3 {
		rec.Expires = rec.Expires.Add(time.Minute)
		e.touch(s, rec, rec.Expires)
		e.stored(rec)
	}
	rec.Data = []byte("saved with the version from before the touch")
	e.stored(e.save(rec))
}

func touchOtherVersion(e *env) {
	s := e.toucher()
	old := e.create("a")
	rec := e.save(old)
	for _, version := range []uint64{0, old.Version, rec.Version + 1} {
		for _, expires := range []time.Time{rec.Expires.Add(time.Hour), rec.Expires.Add(-time.Minute)} {
			e.is(s.Touch(e.ctx, store.Record{Key: rec.Key, Version: version, Expires: expires}), store.ErrConflict, "Touch with version %d instead of %d", version, rec.Version)
			e.stored(rec)
		}
	}
}

func touchPermanent(e *env) {
	s := e.toucher()
	rec := e.record("a")
	rec.Expires = time.Time{}
	rec = e.save(rec)
	for _, expires := range append(past(), time.Now().Add(time.Second), time.Now().AddDate(1, 0, 0), time.Time{}) {
		e.touch(s, rec, expires)
		e.stored(rec)
	}
}

func touchToNever(e *env) {
	s := e.toucher()
	rec := e.create("a")
	rec.Expires = time.Time{}
	e.touch(s, rec, rec.Expires)
	e.stored(rec)
}

func touchRaceSave(e *env) {
	s := e.toucher()
	for i := range rounds() {
		rec := e.create(fmt.Sprint(i))
		next := rec
		next.Data, next.Expires = []byte("saved meanwhile"), rec.Expires.Add(time.Minute)
		together(3, func(n int) {
			if n == 0 {
				saved, err := e.second.Save(e.ctx, next)
				if next.Version = saved.Version; err != nil {
					e.Errorf("Save while the record is touched = %v, want success: a touch leaves the version", err)
				}
				return
			}
			if err := s.Touch(e.ctx, extended(rec, rec.Expires.Add(time.Hour))); err != nil {
				e.is(err, store.ErrConflict, "Touch while the record is saved")
			}
		})
		e.stored(next)
	}
}

func touchRaceTouch(e *env) {
	s := e.toucher()
	const contenders = 8
	for i := range rounds() {
		rec := e.create(fmt.Sprint(i))
		together(contenders, func(n int) {
			if err := s.Touch(e.ctx, extended(rec, rec.Expires.Add(time.Duration(n)*time.Minute))); err != nil {
				e.Errorf("Touch at once with others = %v, want success", err)
			}
		})
		rec.Expires = rec.Expires.Add((contenders - 1) * time.Minute)
		e.stored(rec)
	}
}

func touchRaceDelete(e *env) {
	s := e.toucher()
	for i := range rounds() {
		rec := e.record(fmt.Sprint(i))
		rec.Subject = e.name("subject")
		rec = e.save(rec)
		together(4, func(n int) {
			if n == 0 {
				if err := e.second.Delete(e.ctx, rec.Key); err != nil {
					e.Errorf("Delete = %v", err)
				}
				return
			}
			if err := s.Touch(e.ctx, extended(rec, rec.Expires.Add(time.Duration(n)*time.Minute))); err != nil {
				e.is(err, store.ErrNotFound, "Touch while the record is deleted")
			}
		})
		e.nowhere(rec)
	}
}
