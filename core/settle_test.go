package core

import (
	"context"
	"strings"
	"testing"
	"time"
)

// failedSaves are changes before and during a save that fails, and the values after the next save.
func failedSaves(t *testing.T) map[string]failedSave {
	t.Helper()
	return map[string]failedSave{
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
	}
}

type failedSave struct {
	before, during func(s *Session)
	wanted         string
}

// begin returns a client, and its request with the changes before the save. Other changes come
// during its next save, which fails with the error, as do all others.
func (f *failedSave) begin(t *testing.T, err error) (c *client, s *Session, store *spy) {
	t.Helper()
	store = newSpy()
	c = newClient(t, newTestManager(t, Options{Store: store}))
	c.request(func(s *Session) {
		want(t, s.Set("one", 1), nil)
		want(t, s.Set("two", 2), nil)
		want(t, visits.Set(s, 10), nil)
		want(t, note.Set(s, "x"), nil)
	})
	s = c.load()
	f.before(s)
	first := true
	store.onCall(func(_ context.Context, op, _ string) error {
		if op != "save" {
			return nil
		}
		if first {
			first = false
			f.during(s)
		}
		return err
	})
	return c, s, store
}

// After a save that has certainly failed, its changes are pending again, followed by those that
// were made meanwhile.
func TestFailedSaveKeepsTheChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range failedSaves(t) {
		c, s, store := tc.begin(t, ErrTooLarge)
		want(t, s.Save(t.Context()), ErrTooLarge)
		store.onCall(nil)
		c.clone().request(set(t, 100)) // The pending changes have to be merged as well.
		c.respond(s)
		equal(t, name, contents(c.load()), tc.wanted)
	}
}

// If the store cannot say whether it has carried out a save, its changes are pending again, unless
// it has an update, which must not count twice: then the request fails.
func TestUncertainSaveKeepsTheChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range failedSaves(t) {
		c, s, store := tc.begin(t, errDown)
		want(t, s.Save(t.Context()), ErrStore)
		equal(t, name+": saves", store.count("save"), 3) // The first is that of the client.
		store.onCall(nil)
		c.clone().request(set(t, 100))
		if strings.HasPrefix(name, "update") {
			want(t, s.Save(t.Context()), ErrStore)
			want(t, note.Set(s, "refused"), ErrStore)
			reply, err := s.finish(t.Context())
			want(t, err, ErrStore)
			wantNoReply(t, name, reply)
			tc.wanted = "note=x one=1 two=2 visits=100"
		} else {
			c.respond(s)
		}
		equal(t, name, contents(c.load()), tc.wanted)
	}
}

// If the record cannot be looked at after a save has failed, an update may have been saved, so that
// it is not made again. Other changes are.
func TestSaveThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	for name, tc := range failedSaves(t) {
		c, s, store := tc.begin(t, errDown)
		saves := store.before
		store.onCall(func(ctx context.Context, op, key string) error {
			if op == "load" {
				return errDown
			}
			return saves(ctx, op, key)
		})
		want(t, s.Save(t.Context()), ErrStore)
		equal(t, name+": saves", store.count("save"), 2)
		store.onCall(nil)
		c.clone().request(set(t, 100))
		if strings.HasPrefix(name, "update") {
			_, err := s.finish(t.Context())
			want(t, err, ErrStore)
			tc.wanted = "note=x one=1 two=2 visits=100"
		} else {
			c.respond(s)
		}
		equal(t, name, contents(c.load()), tc.wanted)
	}
}

// A save that fails once is made once more. If only its reply was lost, it is not, and an update
// counts once.
func TestFailedSaveIsMadeOnceMore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *Session){
		"set": set(t, 11), "update": increment, "renew": func(s *Session) { renew(s); increment(s) },
		"login": func(s *Session) { signInAs(t, "ann")(s); increment(s) },
	} {
		for _, lost := range []bool{false, true} {
			store := newFullSpy()
			c := newClient(t, newTestManager(t, Options{Store: store}))
			c.request(set(t, 10))
			store.reset()
			s := c.load()
			change(s)
			wanted := "load save load save"
			if lost {
				wanted = "load save load"
				loseSaveAnswer(store)
			} else {
				store.failFirstSave()
			}
			if name == "login" {
				wanted += " load" // of the subject's revocation
			}
			c.respond(s)
			equal(t, name+": calls", strings.Join(opsOf(store.spy), " "), wanted)
			store.onCall(nil)
			c.request(func(s *Session) { equal(t, name+": visits", visits.Get(s), 11) })
			c.request(increment) // The session knows the version that was stored.
			equal(t, name+": visits of the next", visits.Get(c.load()), 12)
		}
	}
}

// If another request has saved after a save whose reply was lost, nobody can say whether an update
// is in. It is not made again, and the request fails; other changes are merged.
func TestLostReplyBeforeAnotherSave(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(s *Session)
		err    error
		wanted string
	}{
		"set":    {func(s *Session) { want(t, note.Set(s, "mine"), nil) }, nil, "note=mine visits=100"},
		"update": {increment, ErrStore, "visits=100"},
	} {
		store := newFullSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 10))
		s, other := c.load(), c.clone()
		tc.change(s)
		loseSaveAnswer(store)
		lose := store.before
		store.onCall(func(ctx context.Context, op, key string) error {
			err := lose(ctx, op, key)
			if op == "save" && err != nil {
				store.onCall(nil)
				other.request(set(t, 100)) //nolint:contextcheck // It is another request.
			}
			return err
		})
		want(t, s.Save(t.Context()), tc.err)
		_, err := s.finish(t.Context())
		want(t, err, tc.err)
		equal(t, name, contents(c.load()), tc.wanted)
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

// If the save after a merge fails, its updates run again in the next one, unless they may have been
// saved.
func TestFailedSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fails, first, next error
		wanted             int
	}{{ErrTooLarge, ErrTooLarge, nil, 102}, {errDown, ErrStore, ErrStore, 101}} {
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
		store.failOn("save", tc.fails)
		want(t, s.Save(t.Context()), tc.first)
		store.onCall(nil)
		_, err := s.finish(t.Context())
		want(t, err, tc.next)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), tc.wanted) })
	}
}

// During a save the session shows what is being saved, and a step-up adds to it. If the login fails,
// it is dropped, and so is the step-up: nobody is signed in by a response that says so.
func TestStepUpDuringTheSaveOfALogin(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		for name, fails := range map[string]error{"saved": nil, "failed": errDown, "too large": ErrTooLarge} {
			store := newSpy()
			m := newTestManager(t, Options{Store: store})
			c := newClient(t, m)
			if stored {
				c.request(set(t, 1))
			}
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
				store.onCall(func(ctx context.Context, op, key string) error {
					_ = during(ctx, op, key)
					if op != "save" {
						return nil
					}
					return fails
				})
			}
			_, err := s.commit(t.Context())
			equal(t, name+": the commit failed", err != nil, fails != nil)
			store.onCall(nil)
			reply := c.respond(s)
			if fails == nil {
				equal(t, name+": subject", c.load().Subject(), "ann")
				wantAuth(t, name, c.load().Auth(), 2, "pwd", "otp")
				continue
			}
			equal(t, name+": cookie", reply.SetCookie, "")
			equal(t, name+": subject of the request", s.Subject(), "")
			wantAuth(t, name+": of the request", s.Auth(), 0)
			equal(t, name+": subject", c.load().Subject(), "")
			equal(t, name+": IsNew", c.load().IsNew(), !stored)
		}
	}
}

// SetExpiry and Remember during a save that fails are kept if there is a session. One that was to
// begin is dropped with its values, so there is nothing that they apply to.
func TestExpiryAndRememberDuringAFailedSave(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{false, true} {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		if stored {
			c.request(set(t, 0))
		}
		s := c.load()
		want(t, visits.Set(s, 1), nil)
		store.beforeSave(func() {
			want(t, s.SetExpiry(time.Hour), nil)
			want(t, s.Remember(false), nil)
		})
		first := store.before
		store.onCall(func(ctx context.Context, op, key string) error {
			_ = first(ctx, op, key)
			if op != "save" {
				return nil
			}
			return errDown
		})
		_, err := s.commit(t.Context())
		want(t, err, ErrStore)
		store.onCall(nil)
		reply := c.respond(s)
		if !stored {
			equal(t, "cookie of a session that did not begin", reply.SetCookie, "")
			equal(t, "records", store.recordCount(), 0)
			continue
		}
		equal(t, "cookie", reply.SetCookie, c.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
		equal(t, "idle timeout", c.load().Expires().Sub(c.load().LastSeen()), time.Hour)
		equal(t, "visits", visits.Get(c.load()), 1)
	}
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
		// That the session has ended is no error for a request that only reads, unless it asks.
		for _, early := range []bool{false, true} {
			time.Sleep(time.Hour)
			c := newClient(t, m)
			c.request(set(t, 1))
			time.Sleep(time.Hour)
			s = c.load()
			c.clone().request((*Session).Destroy)
			if early {
				_, err := s.commit(t.Context())
				want(t, err, ErrGone)
			}
			reply, err := s.finish(t.Context())
			want(t, err, nil)
			equal(t, "cookie of one that ended", reply.SetCookie, "")
		}
	})
}
