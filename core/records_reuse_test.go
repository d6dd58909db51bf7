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

// A retired secret opens nothing after its grace period. A minute later each use is reported.
func TestReuseIsReported(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, Logger: logger})
		c := newSignedIn(t, m, "ann")
		former := renewTimes(c, 6)
		deliver(c)
		time.Sleep(87*time.Second - time.Millisecond)
		for i := range former {
			wantTicketOvertaken(t, "within the minute, secret "+sprint(i), former[i], ReasonReplaced)
		}
		time.Sleep(3 * time.Second)
		wantTicketOvertaken(t, "within the latest minute", former[5], ReasonReplaced)
		equal(t, "alarms within it", m.Stats().Reused, 0)
		equal(t, "refused within it", m.Stats().Refused, 0)
		time.Sleep(time.Millisecond)
		for i := range former {
			wantStranger(t, "after the minute", former[i])
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

// RevokeOnReuse ends the session for everybody, who learns why.
func TestRevokeOnReuse(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		former := renewTimes(c, 1)
		deliver(c)
		time.Sleep(time.Hour)
		inFlight := c.load()
		wantStranger(t, "the thief", former[0])
		wantTicketOvertaken(t, "everybody", c, ReasonReuse)
		wantMark(t, "the session", store, "session:"+id, ReasonReuse)
		increment(inFlight)
		equal(t, "cookie of the request in flight", c.clone().respond(inFlight).SetCookie, "")
		wantTicketOvertaken(t, "after it", c, ReasonReuse)
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

// Before the new secret is delivered, nothing tells a thief from a browser that has not got the
// answer: there is no alarm, and the session goes on.
func TestNoReuseBeforeTheDelivery(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		former := renewTimes(c, 1)
		time.Sleep(5 * time.Hour)
		wantAccepted(t, "the former secret", former[0], c)
		equal(t, "subject", c.load().Subject(), "ann")
		equal(t, "alarms", m.Stats().Reused, 0)
		equal(t, "revoked", m.Stats().Revoked, 0)
	})
}

func TestRevokeOnReuseThoughTheClientDisconnects(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		id := c.id()
		former := renewTimes(c, 1)
		deliver(c)
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
		wantMark(t, "the session", store, "session:"+id, ReasonReuse)
	})
}

// If the store cannot end the session, the request fails, and the next use ends the session.
func TestRevokeOnReuseThatFails(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		id := c.id()
		former := renewTimes(c, 1)
		deliver(c)
		time.Sleep(time.Hour)
		store.failOn("save", errDown)
		s := unloadedSession(c.m, former[0].cookie)
		want(t, s.load(t.Context()), ErrStore)
		store.onCall(nil)
		equal(t, "the user, IsNew", c.load().IsNew(), false)
		wantStranger(t, "the next use", former[0])
		wantMark(t, "the session", store, "session:"+id, ReasonReuse)
		wantTicketOvertaken(t, "the user", c, ReasonReuse)
	})
}

// A login of the subject that is signed in, and a step-up, start a new history. Until the new
// secret is delivered, those from before open the session with the former proof and get no
// cookie; then they are overtaken, and a minute after the grace they are unknown. One from before
// a renewal that was delivered ends with its grace. Their use is never reported as reuse.
func TestReuseBeforeALogin(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(s *Session) error{
		"login":   func(s *Session) error { return s.LoginWith("ann", Auth{Level: 2}) },
		"step-up": func(s *Session) error { return s.StepUp(Auth{Level: 2}) },
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
			c := newSignedIn(t, m, "ann")
			at := c.load().Auth().At
			former := append(renewTimes(c, 2), c.clone())
			c.request(func(s *Session) { want(t, prove(s), nil) })
			undelivered := former
			for range 2 {
				for i := range undelivered {
					tab := undelivered[i].clone()
					reply := tab.request(func(s *Session) {
						equal(t, name+": subject under a former secret", s.Subject(), "ann")
						equal(t, name+": level under a former secret", s.Auth().Level, 0)
						equal(t, name+": proof under a former secret", s.Auth().At.Equal(at), true)
					})
					equal(t, name+": cookie for a former secret", reply.SetCookie, "")
				}
				time.Sleep(2 * time.Hour)
				undelivered = former[2:] // The renewals were delivered, and their grace is over.
			}
			deliver(c)
			for i := range undelivered {
				wantTicketOvertaken(t, name+": delivered", undelivered[i], ReasonReplaced)
			}
			time.Sleep(90*time.Second - time.Millisecond)
			for i := range undelivered {
				wantTicketOvertaken(t, name+": at the end of the minute", undelivered[i], ReasonReplaced)
			}
			time.Sleep(time.Millisecond)
			for range 2 {
				for i := range former {
					wantStranger(t, name+": former secret", former[i])
				}
				time.Sleep(time.Hour)
				renewTimes(c, 1)
				time.Sleep(time.Hour)
			}
			equal(t, name+": alarms", m.Stats().Reused, 0)
			equal(t, name+": refused", m.Stats().Refused, 6)
			equal(t, name+": subject", c.load().Subject(), "ann")
			equal(t, name+": level", c.load().Auth().Level, 2)
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
		other := newSignedIn(t, m, "ann")
		renewTimes(c, 1)
		deliver(c)
		for _, wait := range []time.Duration{31 * time.Second, time.Hour} {
			time.Sleep(wait)
			_, err := m.RevokeOthers(t.Context(), slow)
			want(t, err, ErrGone)
		}
		equal(t, "the other", other.load().Subject(), "ann")
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
		deliver(c)
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
		wantTicketOvertaken(t, "the session", c, ReasonReuse)
	})
}
