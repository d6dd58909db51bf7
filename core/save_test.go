package core

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestR4DifferentKeys(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: store, OnEvent: events.add})
		c := newClient(t, m)
		c.request(func(s *Session) {
			for _, k := range []string{"kept", "deleted", "changed", "fought over"} {
				want(t, s.Set(k, "before"), nil)
			}
		})
		a, b := c.load(), c.clone().load()
		want(t, a.Set("of a", 1), nil)
		want(t, a.Delete("deleted"), nil)
		want(t, a.Set("fought over", "a"), nil)
		want(t, b.Set("of b", 1), nil)
		want(t, b.Set("changed", "after"), nil)
		want(t, b.Set("fought over", "b"), nil)
		c.respond(b)
		c.respond(a)
		equal(t, "A sees what B did", strings.Join(a.Keys(), ","), "changed,fought over,kept,of a,of b")
		c.request(func(s *Session) {
			equal(t, "Keys", strings.Join(s.Keys(), ","), "changed,fought over,kept,of a,of b")
			equal(t, "changed", Key[string]("changed").Get(s), "after")
			equal(t, "fought over: the last to save", Key[string]("fought over").Get(s), "a")
		})
		equal(t, "events", kinds(events.closeAndList(t, m)), "created loaded loaded committed merged committed loaded")
	})
}

// Clear and an update of one request meet a new key and an update of another.
func TestR4ClearAgainstAdd(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	a, b := c.load(), c.clone().load()
	want(t, a.Clear(), nil)
	increment(a)
	want(t, b.Set("added", 1), nil)
	increment(b)
	c.respond(b)
	c.respond(a)
	c.request(func(s *Session) {
		equal(t, "Keys", strings.Join(s.Keys(), ","), "visits")
		equal(t, "visits", visits.Get(s), 1)
	})
}

// After a merge, storing an equal value is still not a change.
func TestEqualValueAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	s := c.load()
	increment(s)
	c.clone().request(increment)
	want(t, s.Save(t.Context()), nil)
	store.reset()
	set(t, 3)(s)
	want(t, s.Save(t.Context()), nil)
	equal(t, "saves of an equal value", store.count("save"), 0)
}

// If every save meets a conflict, the commit gives up and returns ErrConflict.
func TestEndlessConflicts(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Hour}))
	c.request(set(t, 1))
	store.reset()
	store.failOn("save", ErrConflict)
	s := c.load()
	increment(s)
	_, err := s.finish(t.Context())
	want(t, err, ErrConflict)
	equal(t, "status", StatusCode(err), 503)
	equal(t, "saves", store.count("save"), saveAttempts)
	store.onCall(nil)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

// Another process writes before each of the first attempts, and whenever this one waits. So an
// attempt after a wait succeeds only if it loads the record again.
func TestMergeLoadsAgainAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Hour}))
		c.request(set(t, 1))
		rival := newClient(t, newTestManager(t, Options{Store: store.store}))
		rival.cookie = c.cookie
		s := c.load()
		increment(s)
		store.reset()
		last, others := time.Now(), 0
		store.onCall(func(_ context.Context, op, _ string) error {
			if paused := time.Now().After(last); paused || op == "save" && store.count("save") <= 4 {
				rival.request(increment) //nolint:contextcheck // It is another request, with its own context.
				others++
			}
			last = time.Now()
			return nil
		})
		c.respond(s)
		equal(t, "saves", store.count("save"), 5)
		store.onCall(nil)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1+others+1) })
	})
}

// If the store fails during a merge, the commit fails. The session has not ended.
func TestOutageDuringAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	s := c.load()
	increment(s)
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "save" {
			return ErrConflict // Without the current record, so the manager has to load it.
		}
		return errDown
	})
	want(t, s.Save(t.Context()), ErrStore)
	store.onCall(nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

// If the merged session exceeds MaxSize, the commit fails, and what the other request stored
// stays.
func TestMergeBeyondTheSizeCap(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{MaxSize: 1000}))
	c.request(set(t, 1))
	s := c.load()
	want(t, s.Set("mine", strings.Repeat("x", 500)), nil)
	c.clone().request(func(s *Session) { want(t, s.Set("other", strings.Repeat("x", 500)), nil) })
	want(t, s.Save(t.Context()), ErrTooLarge)
	equal(t, "Keys", strings.Join(c.load().Keys(), ","), "other,visits")
}

// O2: a save that fails sends no cookie, and the next attempt works. A session that was to begin is
// dropped, so that a response that says it failed starts none.
func TestO2SaveFails(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	store.failOn("save", errDown)
	s := c.load()
	increment(s)
	reply, err := s.commit(t.Context())
	want(t, err, ErrStore)
	want(t, err, errDown)
	wantNoReply(t, "reply", reply)
	equal(t, "status", StatusCode(err), 503)
	store.onCall(nil)
	store.reset()
	equal(t, "visits of the request", visits.Get(s), 0)
	equal(t, "cookie of the failed response", c.respond(s).SetCookie, "")
	equal(t, "calls of the failed response", store.count(""), 0)
	equal(t, "records", store.recordCount(), 0)

	// The handler may try again, in the same request.
	store.failOn("save", errDown)
	s = c.load()
	increment(s)
	want(t, s.Save(t.Context()), ErrStore)
	store.onCall(nil)
	increment(s)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })

	// Changes to a stored session are tried again by the next commit.
	store.failOn("save", errDown)
	s = c.load()
	want(t, note.Set(s, "kept"), nil)
	reply, err = s.commit(t.Context())
	want(t, err, ErrStore)
	wantNoReply(t, "reply of a stored session", reply)
	store.onCall(nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "note", note.Get(s), "kept") })

	// A secret that was not saved is not sent either.
	before := c.ticket()
	for name, change := range map[string]func(*Session) error{
		"Renew": (*Session).Renew, "Login": func(s *Session) error { return s.Login("ann") },
	} {
		store.failOn("save", errDown)
		s = c.load()
		want(t, change(s), nil)
		reply, err = s.finish(t.Context())
		want(t, err, ErrStore)
		wantNoReply(t, name, reply)
		store.onCall(nil)
		equal(t, name+": visits under the old secret", visits.Get(c.load()), 1)
		equal(t, name+": subject under the old secret", c.load().Subject(), "")
	}
	equal(t, "ticket", c.ticket() == before, true)
}

// O2: if the store answers the save of a new session with ErrNotFound, the commit fails.
func TestO2CreateAnsweredWithNotFound(t *testing.T) {
	t.Parallel()
	store := newSpy()
	store.failOn("save", ErrNotFound)
	s := newClient(t, newTestManager(t, Options{Store: store})).load()
	increment(s)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	wantNoReply(t, "reply", reply)
}

// Two requests that are due for a touch, or a touch and a write, do not disturb each other.
func TestTouchMeetsAnotherRequest(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){"touch": read, "write": increment, "renew": func(s *Session) { _ = s.Renew() }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStoreInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
				c.request(set(t, 1))
				time.Sleep(10 * time.Minute)
				s := c.load()
				read(s)
				late := c.clone()
				c.request(handler)
				late.respond(s)
				equal(t, "IsNew", late.load().IsNew(), false)
				time.Sleep(time.Hour - time.Millisecond)
				equal(t, "an hour later, IsNew", c.load().IsNew(), false)
			})
		})
	}
}
