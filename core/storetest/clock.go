package storetest

import (
	"errors"
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

// sleepPast waits until a record with that expiry must have expired.
func (e *env) sleepPast(expires time.Time) {
	time.Sleep(time.Until(expires.Add(e.Resolution)))
}

// wantExpiry checks that exists reports true until expires and false from then on.
func (e *env) wantExpiry(method string, expires time.Time, exists func() bool) {
	e.Helper()
	if e.InProcess {
		time.Sleep(time.Until(expires) - 1)
	}
	if !exists() && time.Now().Before(expires) {
		e.Errorf("%s did not find the record %v before it expires", method, time.Until(expires))
	}
	e.sleepPast(expires)
	if exists() {
		e.Errorf("%s found the record after it had expired", method)
	}
}

// exists reports whether Load finds the record.
func (e *env) exists(key string) bool {
	e.Helper()
	_, err := e.store.Load(e.ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		e.Fatalf("Load = %v", err)
	}
	return err == nil
}

// pastTimes returns instants that have passed.
func pastTimes() []time.Time {
	now := time.Now()
	return []time.Time{
		now, now.Add(-1), now.Add(-time.Second), now.AddDate(-1, 0, 0),
		time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 0),
		time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}
