package core

import (
	"context"
	"strings"
	"testing"
	"time"
)

// What is left of a session in which somebody has acted gives nothing to who has a copy of its
// cookie: neither the session of the next user, nor a proof that was given since.
func TestActAsCopiedCookie(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(s *Session){
		"another user": signInAs(t, "bob"),
		"step-up":      func(s *Session) { want(t, s.StepUp(Auth{Level: 9}), nil) },
		"login":        func(s *Session) { want(t, s.Login("op"), nil) },
		"sign-out":     func(s *Session) { s.Destroy() },
	} {
		for _, stopped := range []bool{false, true} {
			eachIndexedInBubble(t, func(t *testing.T, store Store) {
				t.Helper()
				m := newTestManager(t, Options{Store: store})
				c := newOperator(t, m)
				own := c.clone()
				c.request(actAs(t))
				thief := c.clone()
				if stopped {
					c.request(stopActing(t))
					own = c
				}
				own.request(next)
				own.request(read)
				time.Sleep(time.Second)
				equal(t, name+": actor", thief.load().Auth().Actor, "")
				s := thief.load()
				want(t, s.StopActing(t.Context()), ErrGone)
				equal(t, name+": cookie", thief.respond(s).SetCookie, "")
			})
		}
	}
}

// A cookie from before a step-up, whose answer was lost, cannot act for anybody: it would come back
// with the step-up.
func TestActAsWithFormerCookie(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newOperator(t, m)
	c.request(read)
	former := c.clone()
	c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 9}), nil) })
	equal(t, "level", former.load().Auth().Level, 3)
	want(t, former.load().ActAs(t.Context(), "ann"), ErrGone)
	equal(t, "sessions of the user", actorsOf(t, m, "ann"), "")
}

// A second click, or a try after a lost answer, joins the session of the first.
func TestActAsTwice(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		first, second, lost := c.clone(), c.clone(), c.clone()
		a, b := first.load(), second.load()
		actAs(t)(a)
		first.respond(a)
		actAs(t)(b)
		second.respond(b)
		lost.request(actAs(t))
		equal(t, "sessions of the user", actorsOf(t, m, "ann"), "by:op")
		for _, c := range []*client{first, second, lost} {
			c.request(read)
			equal(t, "subject", c.load().Subject(), "ann")
		}
		lost.request(actAs(t)) // It acts already.
		equal(t, "sessions of the user", actorsOf(t, m, "ann"), "by:op")
		want(t, lost.load().ActAs(t.Context(), "bob"), ErrActing)
		lost.request(stopActing(t))
		equal(t, "sessions in the end", actorsOf(t, m, "ann")+actorsOf(t, m, "op"), "by:")
	})
}

// Whoever signs in with the session while it is being ended keeps it.
func TestStopActingSparesAnotherLogin(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		c.request(actAs(t))
		stale := c.load()
		c.request(signInAs(t, "bob"))
		want(t, stale.StopActing(t.Context()), ErrGone)
		equal(t, "subject", c.load().Subject(), "bob")
	})
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		own := c.ticket().ID.String()
		c.request(actAs(t))
		other, login := c.clone(), c.load()
		want(t, m.RevokeByID(t.Context(), own), nil)
		store.beforeSave(func() { // It is the mark of the other request.
			store.onCall(nil)
			want(t, login.SignIn(t.Context(), "bob", SignIn{}), nil)
			c.respond(login)
		})
		other.load()
		equal(t, "subject after the own session has ended", c.load().Subject(), "bob")
	})
}

// A sign-out that fails half-way can be repeated, and one with the cookies of several sessions ends
// them all.
func TestActAsDestroyFails(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		for _, failing := range []bool{false, true} { // the own session, or the other
			c := newOperator(t, m)
			own := c.clone()
			c.request(actAs(t))
			s := c.load()
			s.Destroy()
			store.onCall(func(_ context.Context, op, key string) error {
				if op == "save" && strings.HasSuffix(key, own.ticket().ID.String()) != failing {
					return errDown
				}
				return nil
			})
			_, err := s.finish(t.Context())
			want(t, err, ErrStore)
			store.onCall(nil)
			c.request(func(s *Session) { s.Destroy() })
			equal(t, "own session", own.load().Subject(), "")
			equal(t, "sessions", actorsOf(t, m, "ann")+actorsOf(t, m, "op"), "")
		}
		c := newOperator(t, m)
		own, several := c.clone(), newSignedIn(t, m, "carl")
		c.request(actAs(t))
		several.cookie += "; " + c.cookie
		several.request(func(s *Session) { s.Destroy() })
		equal(t, "own session of a second cookie", own.load().Subject(), "")
	})
}

// Destroy in another goroutine, while ActAs or StopActing saves, ends both sessions.
func TestDestroyDuringActAs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ stops, fails bool }{
		"act": {}, "act, which fails": {fails: true}, "stop": {stops: true},
	} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newOperator(t, m)
			own := c.clone()
			if tc.stops {
				c.request(actAs(t))
			}
			s, saves := c.load(), 0
			store.onCall(func(_ context.Context, op, _ string) error {
				if op != "save" {
					return nil
				}
				if saves++; saves == 1 {
					s.Destroy()
				}
				if tc.fails {
					return errDown
				}
				return nil
			})
			if tc.stops {
				_ = s.StopActing(t.Context())
			} else {
				_ = s.ActAs(t.Context(), "ann")
			}
			store.onCall(nil)
			equal(t, name+": subject", s.Subject(), "")
			c.respond(s)
			equal(t, name+": own session", own.load().Subject(), "")
			equal(t, name+": sessions", actorsOf(t, m, "ann")+actorsOf(t, m, "op"), "")
			equal(t, name+": signed in", c.cookie != "" && c.load().Subject() != "", false)
		})
	}
}

// What is changed while the session ends is not lost in silence.
func TestStopActingTellsOfLostChanges(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: store, OnEvent: events.add})
		c := newOperator(t, m)
		c.request(actAs(t))
		s := c.load()
		store.beforeSave(func() { want(t, note.Set(s, "meanwhile"), nil) })
		want(t, s.StopActing(t.Context()), nil)
		c.respond(s)
		equal(t, "own note", note.Get(c.load()), "the operator's")

		c.request(actAs(t))
		a, b := c.load(), c.load()
		want(t, a.StopActing(t.Context()), nil)
		want(t, note.Set(b, "important"), nil)
		want(t, b.StopActing(t.Context()), ErrGone)
		equal(t, "an event tells", hasKind(events.closeAndList(t, m), EventLost), true)
	})
}

// A session in which somebody acts lasts as long as their own, so nothing else can be asked of it.
func TestActAsLastsNoLonger(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Expiry: Permanent})
	c := newOperator(t, m)
	c.request(actAs(t))
	want(t, c.load().SetExpiry(Permanent), errLastsAsOwn)
	want(t, c.load().Remember(true), errLastsAsOwn)
	left := time.Until(c.info().Expires)
	equal(t, "it may be idle for at most a day", left > 23*time.Hour && left <= maxActing, true)
	want(t, signIn(c.load(), SignIn{Remember: true}), nil)
}

// A renewal of the own session leaves the other one the grace, as any request with the old secret.
func TestActAsAfterARenewal(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Grace: 10 * time.Second})
		c := newOperator(t, m)
		own := c.clone()
		c.request(actAs(t))
		own.request(func(s *Session) { want(t, s.Renew(), nil) })
		own.request(read)
		time.Sleep(9 * time.Second)
		equal(t, "within the grace", c.load().Auth().Actor, "op")
		time.Sleep(2 * time.Second)
		equal(t, "after the grace", c.load().Auth().Actor, "")
	})
}

// A sign-out that is under way when another user signs in with the own session leaves that alone.
func TestActAsDestroySparesAnotherLogin(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newOperator(t, m)
		own := c.clone()
		c.request(actAs(t))
		s := c.load()
		own.request(signInAs(t, "bob"))
		s.Destroy()
		c.respond(s)
		equal(t, "subject", own.load().Subject(), "bob")
	})
}
