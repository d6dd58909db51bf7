package core

import (
	"strings"
	"testing"
	"time"
)

// R8: if the store fails during a logout, the client gets an error and is still signed in. It
// can try again.
func TestR8StoreFailsDuringLogout(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"load", "save"} {
		var events recorder
		store := newSpy()
		m := newTestManager(t, Options{Store: store, OnEvent: events.add})
		c := newSignedIn(t, m, "ann")
		s := c.load()
		store.failOn(op, errDown)
		s.Destroy()
		want(t, note.Set(s, "goodbye"), nil)
		reply, err := s.finish(t.Context())
		want(t, err, ErrStore)
		equal(t, op+": status", StatusCode(err), 503)
		wantNoReply(t, op+": reply", reply)
		wantRecords(t, op+", failed", store, 1, 0)
		store.onCall(nil)
		c.request(func(s *Session) { equal(t, op+": Subject", s.Subject(), "ann") })
		c.request((*Session).Destroy)
		wantRecords(t, op+", tried again", store, 0, 1)
		all := events.closeAndList(t, m)
		equal(t, op+": failure told", hasKind(all, EventStoreFailed), true)
		equal(t, op+": destroyed told", hasKind(all, EventDestroyed), true)
	}
}

// A logout whose reply from the store is lost is found to have ended the session.
func TestR8LostReplyOfALogout(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
	stale := c.clone()
	s := c.load()
	s.Destroy()
	loseSaveAnswer(store)
	reply := c.respond(s)
	equal(t, "cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
	wantRecords(t, "afterwards", store.spy, 0, 1)
	stale.request(func(s *Session) { wantShutOut(t, "afterwards", s, ReasonSignedOut) })
}

// R8: a slow logout still ends the session, although its secret was replaced meanwhile: a
// client that is told so must be signed out.
func TestR8SlowLogout(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, NoGrace} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, Grace: grace})
			c := newSignedIn(t, m, "ann")
			a := c.clone()
			slow := a.load()
			renewTimes(c, 2)
			time.Sleep(time.Hour)
			slow.Destroy()
			equal(t, "cookie is removed", strings.Contains(a.respond(slow).SetCookie, "Max-Age=0"), true)
			equal(t, "subject", c.load().Subject(), "")
			equal(t, "alarms", m.Stats().Reused, 0)
		})
	}
}

// A destroyed session is deleted even if another change of the request comes too late.
func TestDestroyDespiteALateUpdate(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	s := c.load()
	c.respond(s)
	s.Destroy()
	increment(s) // It would need a new session and its cookie.
	_, err := s.finish(t.Context())
	want(t, err, ErrLate)
	wantRecords(t, "afterwards", store, 0, 1)
}

// Another goroutine of the request calls Destroy while a commit is running.
func TestDestroyDuringACommit(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"create": false, "replace": true} {
		for _, again := range []bool{false, true} {
			store := newSpy()
			c := newClient(t, newTestManager(t, Options{Store: store}))
			if stored {
				c.request(set(t, 1))
			}
			s := c.load()
			increment(s)
			store.beforeSave(func() {
				s.Destroy()
				if again {
					want(t, note.Set(s, "afterwards"), nil)
				}
			})
			reply, err := s.finish(t.Context())
			want(t, err, nil)
			c.keepCookie(reply)
			_, err = s.finish(t.Context()) // Adapters do so after the handler.
			if again && err != nil {
				want(t, err, ErrLate)
			}
			// A session that is left must be one that the cookie opens. The one that ended leaves a
			// mark if a browser has its cookie.
			left, marks := 0, 0
			if c.cookie != "" && !c.load().IsNew() {
				left = 1
				equal(t, name+": visits", visits.Get(c.load()), 0)
			}
			if stored {
				marks = 1
			}
			wantRecords(t, name, store, left, marks)
		}
	}
}

// The removal cookie is sent only after the session has been deleted.
func TestRemovalCookieOnlyAfterTheDelete(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	s := c.load()
	increment(s)
	store.beforeSave(s.Destroy)
	reply, err := s.finish(t.Context())
	want(t, err, nil)
	equal(t, "the cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
	wantRecords(t, "when the browser is told so", store, 0, 1)
}

func TestDestroyThenSet(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
	old, before := c.id(), c.clone()
	var next string
	reply := c.request(func(s *Session) {
		s.Destroy()
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "Subject", s.Subject(), "")
		equal(t, "visits", visits.Get(s), 0)
		equal(t, "Len", s.Len(), 0)
		want(t, note.Set(s, "goodbye"), nil)
		next = s.ID()
	})
	if next == old || next == "" {
		t.Errorf("the new session's id is %q, the old one's %q", next, old)
	}
	equal(t, "cookie is a live one", strings.Contains(reply.SetCookie, "Max-Age=0"), false)
	wantRecords(t, "afterwards", store, 1, 1)
	equal(t, "id", c.id(), next)
	c.request(func(s *Session) {
		equal(t, "note", note.Get(s), "goodbye")
		equal(t, "Subject", s.Subject(), "")
	})
	stale := before.cookie
	reply = before.request(func(s *Session) { wantShutOut(t, "the old token", s, ReasonSignedOut) })
	equal(t, "cookie for the old token", reply.SetCookie, "")
	equal(t, "cookie of the old token", before.cookie, stale)
}

func TestDestroyTwiceAndAlone(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	store.reset()
	reply := c.request(func(s *Session) { s.Destroy(); s.Destroy() })
	if !strings.HasPrefix(reply.SetCookie, "session=; ") {
		t.Errorf("Set-Cookie is %q", reply.SetCookie)
	}
	equal(t, "calls", strings.Join(opsOf(store), " "), "load load save")
	wantRecords(t, "ended", store, 0, 1)
	// A session that is stored and destroyed in one request leaves nothing, not even a mark.
	store.reset()
	c.request(func(s *Session) {
		want(t, visits.Set(s, 1), nil)
		want(t, s.Save(t.Context()), nil)
		s.Destroy()
	})
	equal(t, "calls for one that no browser has", strings.Join(opsOf(store), " "), "save load delete")
	wantRecords(t, "one that no browser has", store, 0, 1)
	equal(t, "cookie", c.cookie, "")
	// A session whose cookie may have left leaves a mark.
	c.request(func(s *Session) {
		want(t, visits.Set(s, 1), nil)
		reply, err := s.commit(t.Context())
		want(t, err, nil)
		equal(t, "an early commit sends the cookie", reply.SetCookie != "", true)
		s.Destroy()
	})
	wantRecords(t, "one whose cookie was handed over", store, 0, 2)
	equal(t, "cookie", c.cookie, "")
	// A session that was never stored costs no call of the store.
	store.reset()
	c.request(func(s *Session) { want(t, visits.Set(s, 1), nil); s.Destroy() })
	equal(t, "calls for one that was never stored", store.count(""), 0)
}

// If the store refuses the mark because of its size, or because it is full, the session is deleted.
// So it is if others keep saving it.
func TestDestroyWithoutAMark(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]error{
		"too large": ErrTooLarge, "full": ErrFull, "in conflict": ErrConflict,
	} {
		store := newSpy()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		stale := c.clone()
		s := c.load()
		store.failOn("save", refused)
		s.Destroy()
		reply := c.respond(s)
		store.onCall(nil)
		equal(t, name+": cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
		equal(t, name+": deletes", store.count("delete"), 1)
		equal(t, name+": records", store.recordCount(), 0)
		equal(t, name+": IsNew", stale.load().IsNew(), true)
	}
}

// A conflict does not keep a session from ending.
func TestDestroyMeetsAConflict(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
	other, stale := c.clone(), c.clone()
	s := c.load()
	s.Destroy()
	store.beforeSave(func() { other.request(increment) })
	reply := c.respond(s)
	equal(t, "cookie is removed", strings.Contains(reply.SetCookie, removalAttributes), true)
	wantRecords(t, "afterwards", store, 0, 1)
	stale.request(func(s *Session) { wantShutOut(t, "afterwards", s, ReasonSignedOut) })
}
