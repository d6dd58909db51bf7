package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// soon returns an expiry that a case can wait for.
func (e *env) soon() time.Time {
	if e.InProcess {
		return time.Now().Add(time.Hour + 123456789)
	}
	return time.Now().Add(max(2*e.Resolution, 1500*time.Millisecond))
}

// sleepPast waits until a record with that expiry must be gone.
func (e *env) sleepPast(expires time.Time) { time.Sleep(time.Until(expires.Add(e.Resolution))) }

// ends checks that a record is there until the instant expires and gone from then on. has asks the store for it.
func (e *env) ends(what string, expires time.Time, has func() bool) {
	e.Helper()
	if e.InProcess {
		time.Sleep(time.Until(expires) - 1)
	}
	if !has() && time.Now().Before(expires) {
		e.Errorf("%s: the record is gone %v before it expires", what, time.Until(expires))
	}
	e.sleepPast(expires)
	if has() {
		e.Errorf("%s: the record is still there at the instant it has expired", what)
	}
}

// loads reports whether Load finds the record.
func (e *env) loads(key string) bool {
	e.Helper()
	_, err := e.store.Load(e.ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.Fatalf("Load = %v", err)
	}
	return err == nil
}

func expiryCases() []testCase {
	return []testCase{
		{
			name: "RoundTrip", run: expiresRoundTrip,
			rule: "Expires comes back as it was saved, or rounded up by the resolution at most, in whatever zone and distance it lies; rounded down, a session ends before its time.",
		},
		{
			name: "X1ToTheInstant", run: expiresToTheInstant, clock: true,
			rule: "A record is found until the instant it expires and not from then on. Earlier logs users out, later is a session that its owner believes has ended.",
		},
		{
			name: "X1ReplaceMoves", run: replaceMovesExpiry, clock: true,
			rule: "A Save that replaces a record sets its expiry, to an earlier instant also; the one before it means nothing any more.",
		},
		{
			name: "X6ExpiredIsNotStored", run: expiredIsNotStored,
			rule: "A record that is already expired is not stored: a create returns ErrNotFound, a replace leaves what there is. A lifetime of zero or less must not turn into forever, as some servers take it.",
		},
		{
			name: "X7NeverReturned", run: expiredNeverReturned, clock: true,
			rule: "No method returns an expired record, however late the backend sweeps: not Load, not Save with ErrConflict, not BySubject, not List; Save and Touch count it as gone.",
		},
		{
			name: "X7CreateOverExpired", run: createOverExpired, clock: true,
			rule: "An expired record counts as none, so Save with Version 0 creates over it, and of many at once exactly one does.",
		},
		{
			name: "X9Permanent", run: permanent, clock: true,
			rule: "A record without an expiry never expires. A store must not give it a default one.",
		},
		{
			name: "X9PermanentAndBack", run: permanentAndBack, clock: true,
			rule: "A Save makes a record permanent or gives a permanent one an expiry, as it says; an expiry left over from before would end the one, or never end the other.",
		},
		{
			name: "X9BeyondThirtyDays", run: beyondThirtyDays, clock: true,
			rule: "An expiry more than 30 days away is that far away. Memcached takes a larger relative time for a date in 1970 and drops the record at once.",
		},
	}
}

func expiresRoundTrip(e *env) {
	now := time.Now()
	zone := time.FixedZone("east", 5*3600+1800)
	for i, expires := range []time.Time{
		now.Add(time.Hour),
		now.Add(time.Hour).Round(0),
		now.Add(time.Hour).Truncate(time.Second),
		now.Add(time.Hour).Truncate(time.Second).Add(1),
		now.Add(time.Hour).Truncate(time.Second).Add(time.Second - 1),
		now.Add(time.Hour).Truncate(time.Second).Add(123456789),
		now.Add(time.Hour).In(zone),
		now.Add(time.Hour).UTC(),
		now.AddDate(0, 0, 400),
		now.AddDate(15, 0, 0),
		{},
	} {
		rec := e.record(fmt.Sprint(i))
		rec.Expires = expires
		e.stored(e.save(rec))
	}
}

func expiresToTheInstant(e *env) {
	rec := e.record("a")
	rec.Expires = e.soon()
	rec = e.save(rec)
	e.ends("Load", rec.Expires, func() bool { return e.loads(rec.Key) })
	e.refused(rec, store.ErrNotFound)
	e.gone(rec.Key)
}

func replaceMovesExpiry(e *env) {
	longer := e.record("longer")
	longer.Expires = e.soon()
	first := longer.Expires
	longer = e.save(longer)
	longer.Expires = first.Add(24 * time.Hour)
	longer = e.save(longer)
	shorter := e.record("shorter")
	shorter.Expires = first.Add(24 * time.Hour)
	shorter = e.save(shorter)
	shorter.Expires = first
	shorter = e.save(shorter)
	e.sleepPast(first)
	e.stored(longer)
	e.gone(shorter.Key)
}

// past lists instants that are over.
func past() []time.Time {
	now := time.Now()
	return []time.Time{now, now.Add(-1), now.Add(-time.Second), now.AddDate(-1, 0, 0), time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 0), time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func expiredIsNotStored(e *env) {
	kept := e.create("kept")
	for i, expires := range past() {
		rec := e.record(fmt.Sprint("expired", i))
		rec.Expires = expires
		e.refused(rec, store.ErrNotFound)
		e.gone(rec.Key)

		rec = kept
		rec.Expires, rec.Data = expires, []byte("must not be stored")
		if _, err := e.store.Save(e.ctx, rec); err == nil {
			e.Errorf("Save over a record with one that expired at %v = nil, want an error: it is not stored", expires)
		}
		e.stored(kept)
		rec.Version = 0
		if _, err := e.store.Save(e.ctx, rec); err == nil {
			e.Errorf("Save of a new record that expired at %v where there is one = nil, want an error", expires)
		}
		e.stored(kept)
	}
}

// expiredNeverReturned asks each method about a record of its own, since some stores drop what they find expired.
func expiredNeverReturned(e *env) {
	expires := e.soon()
	make1 := func(name string) store.Record {
		rec := e.record(name)
		rec.Expires, rec.Subject = expires, e.name("subject-of-"+name)
		return e.save(rec)
	}
	load, stale, wrong, create := make1("load"), make1("stale"), make1("wrong"), make1("create")
	subject, list, touch, remove := make1("subject"), make1("list"), make1("touch"), make1("remove")
	e.sleepPast(expires)
	later := time.Now().Add(time.Hour)

	e.gone(load.Key)
	stale.Expires = later
	e.refused(stale, store.ErrNotFound)
	e.gone(stale.Key)
	wrong.Expires, wrong.Version = later, wrong.Version+1
	e.refused(wrong, store.ErrNotFound)
	create.Expires, create.Version, create.Data = later, 0, []byte("created over an expired one")
	e.stored(e.save(create))
	if s, ok := e.store.(store.Indexer); ok {
		if found, _ := s.BySubject(e.ctx, subject.Subject); len(found) != 0 {
			e.Errorf("BySubject returned an expired record")
		}
	}
	if s, ok := e.store.(store.Lister); ok && len(e.walk(s, list.Key, 10)) != 0 {
		e.Errorf("List returned an expired record")
	}
	if s, ok := e.store.(store.Toucher); ok {
		if err := s.Touch(e.ctx, extended(touch, later)); !errors.Is(err, errors.ErrUnsupported) {
			e.is(err, store.ErrNotFound, "Touch of an expired record")
		}
		e.gone(touch.Key)
	}
	if err := e.store.Delete(e.ctx, remove.Key); err != nil {
		e.Errorf("Delete of an expired record = %v, want nil", err)
	}
}

func createOverExpired(e *env) {
	const contenders = 8
	old := make([]store.Record, 5)
	expires := e.soon()
	for i := range old {
		rec := e.record(fmt.Sprint("a", i))
		rec.Expires = expires
		old[i] = e.save(rec)
	}
	e.sleepPast(expires)
	for i := range old {
		fresh := old[i]
		fresh.Expires, fresh.Version = time.Now().Add(time.Hour), 0
		var winners atomic.Int32
		together(contenders, func(n int) {
			rec := fresh
			rec.Data = fmt.Append(nil, n)
			if _, err := e.handle(n).Save(e.ctx, rec); err == nil {
				winners.Add(1)
			} else {
				e.is(err, store.ErrConflict, "Save with Version 0 over an expired record, at once with others")
			}
		})
		if n := winners.Load(); n != 1 {
			e.Errorf("%d of %d concurrent creates over an expired record succeeded, want 1", n, contenders)
		}
	}
}

func permanent(e *env) {
	rec := e.record("a")
	rec.Expires = time.Time{}
	rec = e.save(rec)
	if e.InProcess {
		time.Sleep(200 * 365 * 24 * time.Hour)
	} else {
		e.sleepPast(e.soon())
	}
	e.stored(rec)
	rec.Data = []byte("still changes")
	e.stored(e.save(rec))
}

func permanentAndBack(e *env) {
	first := e.soon()
	limited := e.record("limited")
	limited.Expires = time.Time{}
	limited = e.save(limited)
	limited.Expires = first
	limited = e.save(limited)
	forever := e.record("forever")
	forever.Expires = first
	forever = e.save(forever)
	forever.Expires = time.Time{}
	forever = e.save(forever)
	e.sleepPast(first)
	e.gone(limited.Key)
	e.stored(forever)
}

func beyondThirtyDays(e *env) {
	const day = 24 * time.Hour
	var all []store.Record
	for _, days := range []int{29, 30, 31, 60, 400, 3650} {
		rec := e.record(fmt.Sprint(days))
		rec.Expires = time.Now().Add(time.Duration(days)*day + time.Minute)
		all = append(all, e.save(rec))
	}
	for _, rec := range all {
		e.stored(rec)
		if e.InProcess {
			e.ends("Load", rec.Expires, func() bool { return e.loads(rec.Key) })
		}
	}
}
