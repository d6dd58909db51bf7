package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

func expiryCases() []testCase {
	return []testCase{
		{
			name: "RoundTrip", run: expiresRoundTrip,
			rule: "Expires is returned as it was saved or rounded up by at most the resolution, " +
				"in any time zone and however far away. Rounded down, a session would end too " +
				"early.",
		},
		{
			name: "X1ToTheInstant", run: expiresToTheInstant, waits: true,
			rule: "A record is found until the instant it expires and not from then on. If it " +
				"ends early, users are logged out too soon. If it ends late, a session is alive " +
				"that its owner believes has ended.",
		},
		{
			name: "X1ReplaceMoves", run: replaceMovesExpiry, waits: true,
			rule: "Save of an existing record sets its expiry, even to an earlier instant. The " +
				"previous expiry no longer has any effect.",
		},
		{
			name: "X6ExpiredIsNotStored", run: expiredIsNotStored,
			rule: "A record that has already expired is not stored: creating it returns " +
				"ErrNotFound, and replacing leaves the stored record in place. A lifetime of " +
				"zero or less must never mean forever, as it does on some servers.",
		},
		{
			name: "X7NeverReturned", run: expiredNeverReturned, waits: true,
			rule: "No method returns an expired record, however late the backend removes it: " +
				"not Load, not Save with ErrConflict, not BySubject, not List. Save and Touch " +
				"treat it as gone.",
		},
		{
			name: "X7CreateOverExpired", run: createOverExpired, waits: true,
			rule: "An expired record counts as absent, so Save with Version 0 creates a new one " +
				"over it. Of many such calls at the same time exactly one succeeds.",
		},
		{
			name: "X9Permanent", run: permanent, waits: true,
			rule: "A record without an expiry never expires. A store must not give it a default " +
				"expiry.",
		},
		{
			name: "X9PermanentAndBack", run: permanentAndBack, waits: true,
			rule: "Save can make a record permanent, and can give a permanent record an expiry. " +
				"An expiry that stays behind ends a permanent session; one that is ignored " +
				"keeps a session forever.",
		},
		{
			name: "X9BeyondThirtyDays", run: beyondThirtyDays, waits: true,
			rule: "An expiry more than 30 days away takes effect at that time. Memcached takes " +
				"a larger relative time for a date in 1970 and drops the record at once.",
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
		e.wantStored(e.save(rec))
	}
}

func expiresToTheInstant(e *env) {
	rec := e.record("a")
	rec.Expires = e.soon()
	rec = e.save(rec)
	e.wantExpiry("Load", rec.Expires, func() bool { return e.exists(rec.Key) })
	e.wantRefused(rec, store.ErrNotFound)
	e.wantAbsent(rec.Key)
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
	e.wantStored(longer)
	e.wantAbsent(shorter.Key)
}

func expiredIsNotStored(e *env) {
	kept := e.create("kept")
	for i, expires := range pastTimes() {
		rec := e.record(fmt.Sprint("expired", i))
		rec.Expires = expires
		e.wantRefused(rec, store.ErrNotFound)
		e.wantAbsent(rec.Key)

		rec = kept
		rec.Expires, rec.Data = expires, []byte("must not be stored")
		if _, err := e.store.Save(e.ctx, rec); err == nil {
			e.Errorf("Save of an existing record with the past expiry %v = nil, want an error",
				expires)
		}
		e.wantStored(kept)
		rec.Version = 0
		if _, err := e.store.Save(e.ctx, rec); err == nil {
			e.Errorf("Save with Version 0 and the past expiry %v over an existing record = nil, "+
				"want an error", expires)
		}
		e.wantStored(kept)
	}
}

// expiredNeverReturned uses a separate record for each method, because some stores drop a
// record when they find that it has expired.
func expiredNeverReturned(e *env) {
	expires := e.soon()
	expiring := func(name string) store.Record {
		rec := e.record(name)
		rec.Expires, rec.Subject = expires, e.name("subject-of-"+name)
		return e.save(rec)
	}
	load, stale, wrong := expiring("load"), expiring("stale"), expiring("wrong")
	create, subject, list := expiring("create"), expiring("subject"), expiring("list")
	touch, remove := expiring("touch"), expiring("remove")
	e.sleepPast(expires)
	later := time.Now().Add(time.Hour)

	e.wantAbsent(load.Key)
	stale.Expires = later
	e.wantRefused(stale, store.ErrNotFound)
	e.wantAbsent(stale.Key)
	wrong.Expires, wrong.Version = later, wrong.Version+1
	e.wantRefused(wrong, store.ErrNotFound)
	create.Expires, create.Version, create.Data = later, 0, []byte("created over an expired one")
	e.wantStored(e.save(create))
	e.wantExpiredNotListed(subject, list)
	e.wantExpiredNotTouched(touch, later)
	if err := e.store.Delete(e.ctx, remove.Key); err != nil {
		e.Errorf("Delete of an expired record = %v, want nil", err)
	}
}

func (e *env) wantExpiredNotListed(subject, list store.Record) {
	e.Helper()
	if s, ok := e.store.(store.Indexer); ok {
		if found, _ := s.BySubject(e.ctx, subject.Subject); len(found) != 0 {
			e.Errorf("BySubject returned an expired record")
		}
	}
	if s, ok := e.store.(store.Lister); ok && len(e.walk(s, list.Key, 10)) != 0 {
		e.Errorf("List returned an expired record")
	}
}

func (e *env) wantExpiredNotTouched(rec store.Record, later time.Time) {
	e.Helper()
	if s, ok := e.store.(store.Toucher); ok {
		if err := s.Touch(e.ctx, withExpires(rec, later)); !errors.Is(err, errors.ErrUnsupported) {
			e.wantErr(err, store.ErrNotFound, "Touch of an expired record")
		}
		e.wantAbsent(rec.Key)
	}
}

func createOverExpired(e *env) {
	expires := e.soon()
	old := make([]store.Record, 5)
	for i := range old {
		rec := e.record(fmt.Sprint("a", i))
		rec.Expires = expires
		old[i] = e.save(rec)
	}
	e.sleepPast(expires)
	for i := range old {
		e.wantOneCreate(old[i])
	}
}

// wantOneCreate checks that one of several concurrent creates over an expired record succeeds.
func (e *env) wantOneCreate(expired store.Record) {
	e.Helper()
	const callers = 8
	fresh := expired
	fresh.Expires, fresh.Version = time.Now().Add(time.Hour), 0
	var winners atomic.Int32
	concurrently(callers, func(n int) {
		rec := fresh
		rec.Data = fmt.Append(nil, n)
		if _, err := e.handle(n).Save(e.ctx, rec); err == nil {
			winners.Add(1)
		} else {
			e.wantErr(err, store.ErrConflict, "Save over an expired record while others save")
		}
	})
	if n := winners.Load(); n != 1 {
		e.Errorf("%d of %d concurrent creates over an expired record succeeded, want 1",
			n, callers)
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
	e.wantStored(rec)
	rec.Data = []byte("still changes")
	e.wantStored(e.save(rec))
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
	e.wantAbsent(limited.Key)
	e.wantStored(forever)
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
		e.wantStored(rec)
		if e.InProcess {
			e.wantExpiry("Load", rec.Expires, func() bool { return e.exists(rec.Key) })
		}
	}
}
