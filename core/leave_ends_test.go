package core

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// failedCommit opens a request that has set visits to 2 and whose explicit commit has failed. The store works again.
func failedCommit(t *testing.T, m *Manager, c *client, store *spy) *Scope {
	t.Helper()
	sc := openScope(t.Context(), t, m, c)
	want(t, visits.Set(sc.Get(), 2), nil)
	store.failOn("save", errDown)
	want(t, sc.Commit(func(*adapter.Reply) {}), ErrStore)
	store.onCall(nil)
	return sc
}

// What is done after a commit that failed counts, whatever the status of the answer, and in an error handler, too. What
// failed is dropped.
func TestChangesAfterAFailedCommit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler func(s *Session) error
		check   func(t *testing.T, s *Session)
	}{
		"flash": {
			func(s *Session) error { return note.Set(s, "flash") },
			func(t *testing.T, s *Session) { t.Helper(); equal(t, "note", note.Get(s), "flash") },
		},
		"login": {
			func(s *Session) error { return s.Login("ann") },
			func(t *testing.T, s *Session) { t.Helper(); equal(t, "subject", s.Subject(), "ann") },
		},
		"sign-in": {
			func(s *Session) error { return s.SignIn(t.Context(), "ann", SignIn{}) },
			func(t *testing.T, s *Session) { t.Helper(); equal(t, "subject", s.Subject(), "ann") },
		},
		"logout": {
			func(s *Session) error { s.Destroy(); return nil },
			func(t *testing.T, s *Session) { t.Helper(); equal(t, "new", s.IsNew(), true) },
		},
	} {
		for _, outside := range []bool{false, true} {
			store := newSpy()
			m := newTestManager(t, Options{Store: store})
			c := newClient(t, m)
			c.request(set(t, 1))
			sc := failedCommit(t, m, c, store)
			if outside {
				_, err := sc.CommitEnd(503)
				want(t, err, nil)
			}
			want(t, tc.handler(sc.Get()), nil)
			reply, err := sc.Leave(503)
			want(t, err, nil)
			want(t, sc.Close(), nil)
			c.keepCookie(reply)
			s := c.load()
			tc.check(t, s)
			if name != "logout" && name != "sign-in" {
				equal(t, name+": what failed", visits.Get(s), 1)
			}
		}
	}
}

// The cookie of a sign-in that was saved goes out with the error of a later commit: the one from before is dead.
func TestCookieGoesOutWithAnError(t *testing.T) {
	t.Parallel()
	for _, explicit := range []bool{false, true} {
		store := newSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		sc := openScope(t.Context(), t, m, c)
		want(t, sc.Get().SignIn(t.Context(), "ann", SignIn{}), nil)
		want(t, visits.Set(sc.Get(), 2), nil)
		store.failOn("save", errDown)
		if explicit {
			want(t, sc.Commit(func(*adapter.Reply) {}), ErrStore)
		}
		reply, _ := sc.Leave(503)
		store.onCall(nil)
		c.keepCookie(reply)
		equal(t, "subject", c.load().Subject(), "ann")
	}
}

// After a panic nothing is saved by anybody, and what is asked for is refused aloud.
func TestNothingIsSavedAfterAPanic(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	s := sc.Get()
	want(t, s.Login("ann"), nil)
	want(t, note.Set(s, "half"), nil)
	_ = sc.Panicked()
	want(t, sc.Commit(func(*adapter.Reply) {}), errPanicked)
	want(t, s.Save(t.Context()), errPanicked)
	s.Destroy()
	visits.Update(s, func(n int) int { return n + 1 })
	want(t, sc.Close(), nil)
	c.request(func(s *Session) {
		equal(t, "subject", s.Subject(), "")
		equal(t, "values", contents(s), "visits=1")
	})
	lost := 0
	for _, e := range events.closeAndList(t, m) {
		if e.Kind == EventLost {
			lost++
		}
	}
	equal(t, "events of what was refused", lost, 2)
}

// Middleware outside can end a session whose response has left.
func TestDestroyAfterTheMiddleware(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	want(t, commitHeader(sc), nil)
	want(t, sc.Close(), nil)
	sc.Get().Destroy()
	equal(t, "new", c.load().IsNew(), true)
}

// A value that is too large at the end of the handlers is an event.
func TestCommitEndReportsValues(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add, MaxSize: 1500})
	sc := openScope(t.Context(), t, m, newClient(t, m))
	want(t, note.Set(sc.Get(), strings.Repeat("x", 1000)), nil)
	want(t, Key[string]("other").Set(sc.Get(), strings.Repeat("x", 1000)), nil)
	_, err := sc.CommitEnd(200)
	want(t, err, ErrTooLarge)
	equal(t, "event", hasKind(events.closeAndList(t, m), EventValueRefused), true)
}

// A renewal that is due waits for the next request if the deadline has passed. The values are saved.
func TestRenewalWaitsAfterTheDeadline(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Minute})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(2 * time.Minute)
		before := c.cookie
		sc := openScope(t.Context(), t, m, c)
		want(t, visits.Set(sc.Get(), 2), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		time.Sleep(time.Second)
		sc.Context = ctx
		reply, err := sc.CommitHeader()
		want(t, err, nil)
		equal(t, "cookie", reply.SetCookie, "")
		equal(t, "visits", visits.Get(c.load()), 2)
		c.request(read)
		equal(t, "renewed by the next request", c.cookie != before, true)
	})
}

// The function of an update that runs again, in a save that follows at once, may change other values.
func TestUpdateSavedAtOnceChangesOthers(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	want(t, commitHeader(sc), nil)
	want(t, sc.Close(), nil)
	s := sc.Get()
	c.clone().request(set(t, 10)) // The update has to be merged.
	visits.Update(s, func(n int) int {
		if n >= 10 {
			want(t, note.Set(s, "ten"), nil)
		}
		return n + 1
	})
	equal(t, "values", contents(c.load()), "note=ten visits=11")
}

// What is changed when the middleware has returned is saved at once, each change once.
func TestChangesAfterTheClose(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	s := sc.Get()
	want(t, commitHeader(sc), nil)
	want(t, sc.Close(), nil)
	saves := store.count("save")
	want(t, visits.Set(s, 2), nil)
	want(t, note.Set(s, "late"), nil)
	want(t, s.Save(t.Context()), nil)
	equal(t, "saves", store.count("save")-saves, 2)
	c.request(func(s *Session) { equal(t, "note", note.Get(s), "late") })
	s.Destroy()
	c.request(func(s *Session) { equal(t, "new", s.IsNew(), true) })
}
