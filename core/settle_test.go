package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// After a failed save its changes are pending again, followed by those that were made
// meanwhile.
func TestFailedSaveKeepsTheChanges(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(func(s *Session) {
		want(t, s.Set("one", 1), nil)
		want(t, s.Set("two", 2), nil)
		want(t, visits.Set(s, 10), nil)
		want(t, note.Set(s, "x"), nil)
	})
	for name, tc := range map[string]struct {
		before, during func(s *Session)
		wanted         string
	}{
		"set, then another":     {set(t, 20), func(s *Session) { want(t, s.Set("one", 5), nil) }, "note=x one=5 two=2 visits=20"},
		"set, then set":         {set(t, 20), set(t, 30), "note=x one=1 two=2 visits=30"},
		"set, then update":      {set(t, 20), increment, "note=x one=1 two=2 visits=21"},
		"update, then update":   {increment, increment, "note=x one=1 two=2 visits=102"},
		"update, then set":      {increment, set(t, 30), "note=x one=1 two=2 visits=30"},
		"update, then same set": {increment, set(t, 11), "note=x one=1 two=2 visits=11"},
		"update, then same":     {increment, func(s *Session) { visits.Update(s, func(n int) int { return min(n, 50) }) }, "note=x one=1 two=2 visits=50"},
		"nothing, then update":  {func(s *Session) { want(t, s.Set("one", 7), nil) }, increment, "note=x one=7 two=2 visits=101"},
		"set, then clear":       {set(t, 20), func(s *Session) { want(t, s.Clear(), nil) }, ""},
		"clear, then update":    {func(s *Session) { want(t, s.Clear(), nil) }, increment, "visits=1"},
		"delete, then update":   {func(s *Session) { want(t, visits.Delete(s), nil) }, increment, "note=x one=1 two=2 visits=1"},
		"update, then delete":   {increment, func(s *Session) { want(t, visits.Delete(s), nil) }, "note=x one=1 two=2"},
		"renew, then set":       {func(s *Session) { want(t, s.Renew(), nil) }, set(t, 30), "note=x one=1 two=2 visits=30"},
	} {
		mine := newClient(t, c.m)
		mine.request(func(s *Session) {
			want(t, s.Set("one", 1), nil)
			want(t, s.Set("two", 2), nil)
			want(t, visits.Set(s, 10), nil)
			want(t, note.Set(s, "x"), nil)
		})
		s := mine.load()
		tc.before(s)
		store.onCall(func(_ context.Context, op, _ string) error {
			if op != "save" {
				return nil
			}
			store.onCall(nil)
			tc.during(s)
			return errDown
		})
		want(t, s.Save(t.Context()), ErrStore)
		mine.clone().request(set(t, 100)) // The pending changes have to be merged as well.
		mine.respond(s)
		equal(t, name, contents(mine.load()), tc.wanted)
	}
}

// Changes that are made during a save belong to the next save.
func TestChangesDuringASave(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 10))
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		equal(t, "visits while it is saved", visits.Get(s), 11)
		increment(s)
		want(t, note.Set(s, "during"), nil)
		equal(t, "Keys while it is saved", strings.Join(s.Keys(), ","), "note,visits")
	})
	want(t, s.Save(t.Context()), nil)
	equal(t, "visits in the store", visits.Get(c.clone().load()), 11)
	equal(t, "visits in the session", visits.Get(s), 12)
	c.respond(s)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 12)
		equal(t, "note", note.Get(s), "during")
	})
}

// If the save merges, updates that were made meanwhile run again.
func TestChangesDuringAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 10))
	other := c.clone()
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		increment(s)
		other.request(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 102) })
}

// Updates that are made during the save after a merge run on what that save has stored.
func TestChangesDuringTheSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 10))
	other := c.clone()
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		increment(s)
		other.request(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	store.beforeSave(func() { increment(s) })
	want(t, s.Save(t.Context()), nil)
	store.onCall(nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 103) })
}

// If the save after a merge fails, its updates run again in the next one.
func TestFailedSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 10))
	other := c.clone()
	s := c.load()
	increment(s)
	store.beforeSave(func() {
		increment(s)
		other.request(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	store.failOn("save", errDown)
	want(t, s.Save(t.Context()), ErrStore)
	store.onCall(nil)
	c.respond(s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 102) })
}

// During a save the session shows what is being saved, and a step-up adds to it.
func TestStepUpDuringTheSaveOfALogin(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	for name, fails := range map[string]error{"saved": nil, "failed": errDown} {
		c := newClient(t, m)
		s := c.load()
		want(t, s.LoginWith("ann", Auth{Methods: []string{"pwd"}, Level: 1}), nil)
		store.beforeSave(func() {
			equal(t, name+": subject", s.Subject(), "ann")
			wantAuth(t, name+", under way", s.Auth(), 1, "pwd")
			want(t, s.StepUp(Auth{Methods: []string{"otp"}, Level: 2}), nil)
			wantAuth(t, name+", both", s.Auth(), 2, "pwd", "otp")
		})
		if fails != nil {
			during := store.before
			store.onCall(func(ctx context.Context, op, key string) error { _ = during(ctx, op, key); return fails })
		}
		_, err := s.commit(t.Context())
		equal(t, name+": the store failed", errors.Is(err, ErrStore), fails != nil)
		store.onCall(nil)
		c.respond(s)
		equal(t, name+": subject", c.load().Subject(), "ann")
		wantAuth(t, name, c.load().Auth(), 2, "pwd", "otp")
	}
}

// SetExpiry and Remember during a save that fails are kept.
func TestExpiryAndRememberDuringAFailedSave(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.load()
	want(t, visits.Set(s, 1), nil)
	store.beforeSave(func() {
		want(t, s.SetExpiry(time.Hour), nil)
		want(t, s.Remember(false), nil)
	})
	first := store.before
	store.onCall(func(ctx context.Context, op, key string) error {
		_ = first(ctx, op, key)
		return errDown
	})
	_, err := s.commit(t.Context())
	want(t, err, ErrStore)
	store.onCall(nil)
	reply := c.respond(s)
	equal(t, "cookie", reply.SetCookie, c.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
	equal(t, "idle timeout", c.load().Expires().Sub(c.load().LastSeen()), time.Hour)
}

// A touch that fails is no error. The next request tries again.
func TestFailedTouchIsNoError(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(30 * time.Minute)
		store.failOn("touch", errDown)
		equal(t, "Set-Cookie", c.request(read).SetCookie, "")
		store.onCall(nil)
		if c.request(read).SetCookie == "" {
			t.Error("the next request does not extend the cookie")
		}
		equal(t, "event", hasKind(events.closeAndList(t, m), EventStoreFailed), true)
	})
}

// A renewal by age that fails is no error. The next request tries again.
func TestRenewEveryThatFails(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(time.Hour)
		before := c.clone()
		store.failOn("save", errDown)
		equal(t, "cookie", c.request(read).SetCookie, "")
		s := c.load()
		increment(s)
		_, err := s.commit(t.Context())
		want(t, err, ErrStore)
		store.onCall(nil)
		equal(t, "failures told", m.Stats().StoreFailures, 2)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
		equal(t, "renewed by the next", c.ticket() == before.ticket(), false)
		wantAccepted(t, "the one before", before, c)
		// That the session has ended is no error for a request that only reads.
		time.Sleep(time.Hour)
		s = c.load()
		c.clone().request((*Session).Destroy)
		reply, err := s.commit(t.Context())
		want(t, err, nil)
		equal(t, "cookie of one that ended", reply.SetCookie, "")
	})
}
