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
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	store.failOn("delete", errDown)
	s := c.load()
	s.Destroy()
	want(t, note.Set(s, "goodbye"), nil)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "status", StatusCode(err), 503)
	wantNoReply(t, "reply", reply)
	equal(t, "records", store.recordCount(), 1)
	store.onCall(nil)
	c.request(func(s *Session) { equal(t, "Subject", s.Subject(), "ann") })
	c.request((*Session).Destroy)
	equal(t, "records", store.recordCount(), 0)
	all := events.closeAndList(t, m)
	equal(t, "failure told", hasKind(all, EventStoreFailed), true)
	equal(t, "destroyed told", hasKind(all, EventDestroyed), true)
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
	equal(t, "records", store.recordCount(), 0)
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
			// A record that is left must be one that the cookie opens.
			left := 0
			if c.cookie != "" && !c.load().IsNew() {
				left = 1
				equal(t, name+": visits", visits.Get(c.load()), 0)
			}
			equal(t, name+": records", store.recordCount(), left)
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
	if strings.Contains(reply.SetCookie, removalAttributes) && store.recordCount() > 0 {
		t.Error("the browser is told that the session has ended, and it has not")
	}
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
	equal(t, "records", store.recordCount(), 1)
	equal(t, "id", c.id(), next)
	c.request(func(s *Session) {
		equal(t, "note", note.Get(s), "goodbye")
		equal(t, "Subject", s.Subject(), "")
	})
	before.request(func(s *Session) { equal(t, "the old token is new", s.IsNew(), true) })
}

func TestDestroyTwiceAndAlone(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	reply := c.request(func(s *Session) { s.Destroy(); s.Destroy() })
	if !strings.HasPrefix(reply.SetCookie, "session=; ") {
		t.Errorf("Set-Cookie is %q", reply.SetCookie)
	}
	equal(t, "deletes", store.count("delete"), 1)
	equal(t, "records", store.recordCount(), 0)
	// A session that is stored and destroyed in one request leaves nothing.
	c.request(func(s *Session) {
		want(t, visits.Set(s, 1), nil)
		want(t, s.Save(t.Context()), nil)
		s.Destroy()
	})
	equal(t, "records", store.recordCount(), 0)
	equal(t, "cookie", c.cookie, "")
	// A session that was never stored costs no call of the store.
	store.reset()
	c.request(func(s *Session) { want(t, visits.Set(s, 1), nil); s.Destroy() })
	equal(t, "calls", store.count(""), 0)
}
