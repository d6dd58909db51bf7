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
			rule: "If the store cannot touch, Touch always returns errors.ErrUnsupported, so " +
				"that the manager can rely on saving instead.",
		},
		{
			name: "Extends", run: touchExtends, waits: true,
			rule: "Touch moves the expiry: the record outlives its old expiry, every method " +
				"finds it until the new one, and it ends then.",
		},
		{
			name: "NeverShortens", run: touchNeverShortens, waits: true,
			rule: "Touch to an earlier instant succeeds and changes nothing. Requests arrive " +
				"out of order, and a late one must not end the session early.",
		},
		{
			name: "NeverCreates", run: touchNeverCreates,
			rule: "Touch of a record that is gone returns ErrNotFound and creates nothing. A " +
				"request that only reads must not undo a logout.",
		},
		{
			name: "LeavesDataAndVersion", run: touchLeavesData,
			rule: "Touch does not change data, subject or version. Otherwise a concurrent save " +
				"meets a conflict for no reason.",
		},
		{
			name: "OtherVersion", run: touchOtherVersion,
			rule: "Touch with a version other than the stored one returns ErrConflict and " +
				"changes nothing. The caller must first see that the session has changed.",
		},
		{
			name: "PermanentStays", run: touchPermanent,
			rule: "Touch of a record that never expires succeeds and changes nothing. Giving it " +
				"an expiry would shorten its life.",
		},
		{
			name: "ToNever", run: touchToNever,
			rule: "Touch to the zero time makes the record permanent, because zero means never, " +
				"as it does in a record.",
		},
		{
			name: "RaceWithSave", run: touchRaceSave,
			rule: "After a concurrent touch and save, the store holds what was saved, with its " +
				"data and its expiry. The touch happens before the save or returns ErrConflict.",
		},
		{
			name: "RaceWithTouch", run: touchRaceTouch,
			rule: "After concurrent touches the latest expiry applies, whatever order they " +
				"arrive in.",
		},
		{
			name: "R1RaceWithDelete", run: touchRaceDelete,
			rule: "After a concurrent touch and delete there is no record. A deleted session " +
				"stays deleted.",
		},
	}
}

func (e *env) touch(s store.Toucher, rec store.Record, expires time.Time) {
	e.Helper()
	if err := s.Touch(e.ctx, withExpires(rec, expires)); err != nil {
		e.Fatalf("Touch = %v, want success", err)
	}
}

func touchUnsupported(e *env) {
	s, ok := e.store.(store.Toucher)
	if !ok {
		e.Skip("the store has no Touch")
	}
	rec := e.create("a")
	later := rec.Expires.Add(time.Second)
	unsupported := 0
	errs := []error{
		s.Touch(e.ctx, store.Record{Key: e.name("absent"), Version: 1, Expires: rec.Expires}),
		s.Touch(e.ctx, store.Record{Key: rec.Key, Version: rec.Version + 1, Expires: later}),
		s.Touch(e.ctx, withExpires(rec, rec.Expires.Add(-time.Second))),
		s.Touch(e.ctx, withExpires(rec, later)),
		s.Touch(e.ctx, withExpires(rec, time.Time{})),
	}
	for _, err := range errs {
		if errors.Is(err, errors.ErrUnsupported) {
			unsupported++
		}
	}
	if unsupported != 0 && unsupported != len(errs) {
		e.Errorf("%d of %d calls of Touch returned errors.ErrUnsupported, want all or none",
			unsupported, len(errs))
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
	e.wantStored(rec)
	e.sleepPast(first)
	e.wantStored(rec)
	if s, ok := e.store.(store.Indexer); ok {
		found, err := s.BySubject(e.ctx, rec.Subject)
		if err == nil && len(found) != 1 && time.Now().Before(rec.Expires) {
			e.Errorf("after Touch, BySubject did not find the record past its old expiry")
		}
	}
	if s, ok := e.store.(store.Lister); ok {
		found, err := e.pages(s, rec.Key, 10)
		if err == nil && len(found) != 1 && time.Now().Before(rec.Expires) {
			e.Errorf("after Touch, List did not find the record past its old expiry")
		}
	}
	e.wantExpiry("after Touch, Load", rec.Expires, func() bool { return e.exists(rec.Key) })
}

func touchNeverShortens(e *env) {
	s := e.toucher()
	rec := e.record("a")
	soon := e.soon()
	rec.Expires = soon.Add(time.Hour)
	rec = e.save(rec)
	for _, expires := range append(pastTimes(), rec.Expires.Add(-time.Minute), soon) {
		e.touch(s, rec, expires)
		e.wantStored(rec)
	}
	e.sleepPast(soon)
	e.wantStored(rec)
}

func touchNeverCreates(e *env) {
	s := e.toucher()
	later := time.Now().Add(2 * time.Hour)
	absent := e.name("absent")
	for _, version := range []uint64{0, 1, ^uint64(0)} {
		err := s.Touch(e.ctx, store.Record{Key: absent, Version: version, Expires: later})
		e.wantErr(err, store.ErrNotFound, "Touch(absent, version %d)", version)
		e.wantAbsent(absent)
	}
	rec := e.createFor("deleted", e.name("subject"))
	if err := e.second.Delete(e.ctx, rec.Key); err != nil {
		e.Fatalf("Delete = %v", err)
	}
	e.wantErr(s.Touch(e.ctx, withExpires(rec, later)), store.ErrNotFound, "Touch after Delete")
	e.wantNowhere(rec)
	e.wantStored(e.create("deleted"))
}

func touchLeavesData(e *env) {
	s := e.toucher()
	rec := e.record("a")
	rec.Subject, rec.Data = e.name("subject"), largeData()
	rec = e.save(rec)
	for range 3 {
		rec.Expires = rec.Expires.Add(time.Minute)
		e.touch(s, rec, rec.Expires)
		e.wantStored(rec)
	}
	rec.Data = []byte("saved with the version from before the touch")
	e.wantStored(e.save(rec))
}

func touchOtherVersion(e *env) {
	s := e.toucher()
	old := e.create("a")
	rec := e.save(old)
	for _, version := range []uint64{0, old.Version, rec.Version + 1} {
		for _, change := range []time.Duration{time.Hour, -time.Minute} {
			other := store.Record{Key: rec.Key, Version: version, Expires: rec.Expires.Add(change)}
			e.wantErr(s.Touch(e.ctx, other), store.ErrConflict,
				"Touch with version %d instead of %d", version, rec.Version)
			e.wantStored(rec)
		}
	}
}

func touchPermanent(e *env) {
	s := e.toucher()
	rec := e.record("a")
	rec.Expires = time.Time{}
	rec = e.save(rec)
	now := time.Now()
	instants := append(pastTimes(), now.Add(time.Second), now.AddDate(1, 0, 0), time.Time{})
	for _, expires := range instants {
		e.touch(s, rec, expires)
		e.wantStored(rec)
	}
}

func touchToNever(e *env) {
	s := e.toucher()
	rec := e.create("a")
	rec.Expires = time.Time{}
	e.touch(s, rec, rec.Expires)
	e.wantStored(rec)
}

func touchRaceSave(e *env) {
	s := e.toucher()
	for i := range rounds() {
		rec := e.create(fmt.Sprint(i))
		next := rec
		next.Data, next.Expires = []byte("saved meanwhile"), rec.Expires.Add(time.Minute)
		concurrently(3, func(n int) {
			if n == 0 {
				saved, err := e.second.Save(e.ctx, next)
				if next.Version = saved.Version; err != nil {
					e.Errorf("Save while the record is touched = %v, "+
						"want success, because a touch does not change the version", err)
				}
				return
			}
			if err := s.Touch(e.ctx, withExpires(rec, rec.Expires.Add(time.Hour))); err != nil {
				e.wantErr(err, store.ErrConflict, "Touch while the record is saved")
			}
		})
		e.wantStored(next)
	}
}

func touchRaceTouch(e *env) {
	s := e.toucher()
	const callers = 8
	for i := range rounds() {
		rec := e.create(fmt.Sprint(i))
		concurrently(callers, func(n int) {
			expires := rec.Expires.Add(time.Duration(n) * time.Minute)
			if err := s.Touch(e.ctx, withExpires(rec, expires)); err != nil {
				e.Errorf("Touch while others touch = %v, want success", err)
			}
		})
		rec.Expires = rec.Expires.Add((callers - 1) * time.Minute)
		e.wantStored(rec)
	}
}

func touchRaceDelete(e *env) {
	s := e.toucher()
	for i := range rounds() {
		rec := e.createFor(fmt.Sprint(i), e.name("subject"))
		concurrently(4, func(n int) {
			if n == 0 {
				if err := e.second.Delete(e.ctx, rec.Key); err != nil {
					e.Errorf("Delete = %v", err)
				}
				return
			}
			expires := rec.Expires.Add(time.Duration(n) * time.Minute)
			if err := s.Touch(e.ctx, withExpires(rec, expires)); err != nil {
				e.wantErr(err, store.ErrNotFound, "Touch while the record is deleted")
			}
		})
		e.wantNowhere(rec)
	}
}
