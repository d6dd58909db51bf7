package core

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// F1: a secret that was never issued opens nothing and is not reported as reused.
func TestF1UnissuedSecretIsNoReuse(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, RevokeOnReuse: true, Logger: logger})
		c := newSignedIn(t, m, "ann")
		guess := func(change func(s *ticket.Secret)) {
			ticket := c.ticket()
			change(&ticket.Secret)
			forged := newClient(t, m)
			forged.cookie = "session=" + textOf(&ticket)
			equal(t, "forged secret, IsNew", forged.load().IsNew(), true)
		}
		for range 2 {
			guess(func(s *ticket.Secret) { s[0] ^= 1 })
			guess(func(s *ticket.Secret) { *s = ticket.Secret{} })
			guess(func(s *ticket.Secret) { *s = counting(7) })
			renewTimes(c, 1)
			time.Sleep(time.Hour)
		}
		equal(t, "subject", c.load().Subject(), "ann")
		events := seen.closeAndList(t, m)
		equal(t, "reused", hasKind(events, EventReused), false)
		equal(t, "revoked", hasKind(events, EventRevoked), false)
		equal(t, "refused", m.Stats().Refused, 6)
		equal(t, "log", log.String(), "")
	})
}

// A retired secret opens nothing after its grace period. Each use is reported.
func TestReuseIsReported(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, Logger: logger})
		c := newSignedIn(t, m, "ann")
		former := renewTimes(c, 6)
		time.Sleep(29*time.Second - time.Millisecond)
		equal(t, "within the latest grace, IsNew", former[0].load().IsNew(), true)
		equal(t, "alarms within it", m.Stats().Reused, 0)
		time.Sleep(time.Millisecond)
		for i := range former {
			equal(t, "after the grace, IsNew", former[i].load().IsNew(), true)
		}
		// It is recognized for as long as the session lives.
		for range 10 {
			time.Sleep(5 * 24 * time.Hour)
			c.request(increment)
		}
		thief := former[3].clone()
		thief.request(func(s *Session) {
			equal(t, "subject of the thief", s.Subject(), "")
			want(t, visits.Set(s, 1), nil)
		})
		equal(t, "the thief has a session of its own", thief.id() == c.id(), false)
		equal(t, "subject", c.load().Subject(), "ann")
		id, n := c.id(), 0
		for _, e := range seen.closeAndList(t, m) {
			if e.Kind == EventReused {
				n++
				equal(t, "session", e.SessionID, id)
				equal(t, "subject", e.Subject, "ann")
				equal(t, "time", e.Time.IsZero(), false)
			}
		}
		equal(t, "events", n, len(former)+1)
		equal(t, "lines in the log", strings.Count(log.String(), "secret reused"), len(former)+1)
		equal(t, "revoked", m.Stats().Revoked, 0)
	})
}

// RevokeOnReuse ends the session for everybody.
func TestRevokeOnReuse(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		former := renewTimes(c, 1)
		time.Sleep(time.Hour)
		inFlight := c.load()
		equal(t, "the thief, IsNew", former[0].load().IsNew(), true)
		equal(t, "everybody, IsNew", c.load().IsNew(), true)
		increment(inFlight)
		equal(t, "cookie of the request in flight", c.clone().respond(inFlight).SetCookie, "")
		equal(t, "after it, IsNew", c.load().IsNew(), true)
		for _, e := range seen.closeAndList(t, m) {
			if e.Kind == EventRevoked {
				equal(t, "session", e.SessionID, id)
				equal(t, "subject", e.Subject, "ann")
				equal(t, "reason", e.Reason, ReasonReuse)
			}
		}
		equal(t, "revoked", m.Stats().Revoked, 1)
	})
}

func TestRevokeOnReuseThoughTheClientDisconnects(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		former := renewTimes(c, 1)
		time.Sleep(time.Hour)
		ctx, hangUp := context.WithCancel(t.Context())
		store.onCall(func(ctx context.Context, op, _ string) error {
			if op == "load" {
				hangUp()
				return nil
			}
			return ctx.Err()
		})
		s := unloadedSession(c.m, former[0].cookie)
		want(t, s.load(ctx), nil)
		store.onCall(nil)
		equal(t, "records", store.recordCount(), 0)
	})
}

// If the store cannot delete the session, the request fails, and the next use ends the session.
func TestRevokeOnReuseThatFails(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		former := renewTimes(c, 1)
		time.Sleep(time.Hour)
		store.failOn("delete", errDown)
		s := unloadedSession(c.m, former[0].cookie)
		want(t, s.load(t.Context()), ErrStore)
		store.onCall(nil)
		equal(t, "the user, IsNew", c.load().IsNew(), false)
		equal(t, "the next use, IsNew", former[0].load().IsNew(), true)
		equal(t, "records", store.recordCount(), 0)
	})
}

// A login starts a new history, so the secrets before it are not reported as reused.
func TestReuseBeforeALogin(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(s *Session) error{
		"login":   func(s *Session) error { return s.Login("ann") },
		"step-up": func(s *Session) error { return s.StepUp(Auth{}) },
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
			c := newSignedIn(t, m, "ann")
			former := append(renewTimes(c, 2), c.clone())
			c.request(func(s *Session) { want(t, prove(s), nil) })
			for range 2 {
				for i := range former {
					equal(t, name+": former secret, IsNew", former[i].load().IsNew(), true)
				}
				time.Sleep(time.Hour)
				renewTimes(c, 1)
				time.Sleep(time.Hour)
			}
			equal(t, name+": alarms", m.Stats().Reused, 0)
			equal(t, name+": refused", m.Stats().Refused, 6)
			equal(t, name+": subject", c.load().Subject(), "ann")
		})
	}
}

// A slow request whose secret was replaced and whose grace period ended while it ran is
// refused, and not reported as reuse.
func TestReuseBySlowRequest(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": set(t, 2), "touch": read, "renew": renew,
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, Expiry: 8 * time.Hour})
			c := newSignedIn(t, m, "ann")
			a := c.clone()
			slow := a.load()
			renewTimes(c, 2)
			time.Sleep(50 * time.Minute) // A touch is due.
			handler(slow)
			equal(t, name+": cookie", a.respond(slow).SetCookie, "")
			equal(t, name+": alarms", m.Stats().Reused, 0)
			equal(t, name+": gone or refused", m.Stats().Gone, 1)
			equal(t, name+": refused", m.Stats().Refused, 1)
			equal(t, name+": subject", c.load().Subject(), "ann")
		})
	}
}

// RevokeOthers with such a secret is not reported as reuse either.
func TestReuseByRevokeOthers(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		slow := c.clone().load()
		renewTimes(c, 1)
		time.Sleep(time.Hour)
		_, err := m.RevokeOthers(t.Context(), slow)
		want(t, err, ErrGone)
		equal(t, "alarms", m.Stats().Reused, 0)
		equal(t, "subject", c.load().Subject(), "ann")
	})
}

// A retired secret beside the current one is not reported: a browser sends both after a change
// of the cookie's path.
func TestReuseBesideTheCurrentSecret(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		former := c.cookie
		renewTimes(c, 1)
		time.Sleep(time.Hour)
		current := c.cookie
		for _, cookie := range []string{former + "; " + current, current + "; " + former} {
			c.cookie = cookie
			equal(t, "subject", c.load().Subject(), "ann")
		}
		equal(t, "alarms", m.Stats().Reused, 0)
		// Beside the cookie of another session it is reported.
		c.cookie = former + "; " + newSignedIn(t, m, "bob").cookie
		equal(t, "subject of the other", c.load().Subject(), "bob")
		equal(t, "alarms", m.Stats().Reused, 1)
		c.cookie = current
		equal(t, "the session, IsNew", c.load().IsNew(), true)
	})
}
