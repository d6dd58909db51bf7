package core

import (
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// renewTimes renews a client's session n times, a second apart, and returns the client as it
// was before each renewal.
func renewTimes(c *client, n int) (former []*client) {
	c.t.Helper()
	for range n {
		former = append(former, c.clone())
		c.request(renew)
		time.Sleep(time.Second)
	}
	return former
}

// deliver presents the secret that the client got last, so that the grace period of the one
// before it begins.
func deliver(c *client) {
	c.t.Helper()
	c.request(read)
}

// wantAccepted fails the test unless a client with a retired secret is accepted and gets the
// current one.
func wantAccepted(tb testing.TB, what string, former, current *client) {
	tb.Helper()
	late := former.clone()
	reply := late.request(func(s *Session) { equal(tb, what+": IsNew", s.IsNew(), false) })
	if reply.SetCookie == "" || late.ticket() != current.ticket() {
		tb.Errorf("%s: its bearer is not told the current secret", what)
	}
}

func TestRenewKeepsIDAndData(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
	before := c.ticket()
	c.request(func(s *Session) { want(t, s.Renew(), nil); want(t, s.Renew(), nil) })
	after := c.ticket()
	equal(t, "id", after.ID, before.ID)
	equal(t, "the secret stayed", after.Secret == before.Secret, false)
	equal(t, "records", store.recordCount(), 1)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Subject", s.Subject(), "ann")
	})
	c.request(read)
	// The first request with the new secret is saved, which begins the grace period.
	equal(t, "events", kinds(events.closeAndList(t, m)), "created login loaded committed renewed loaded touched loaded")
}

func TestX3GracePeriod(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Grace: 10 * time.Second})
		c := newClient(t, m)
		c.request(set(t, 1))
		old := c.clone()
		c.request(func(s *Session) { want(t, s.Renew(), nil) })
		deliver(c)
		time.Sleep(10*time.Second - time.Millisecond)
		wantAccepted(t, "within the grace", old, c)
		inFlight := old.load()
		time.Sleep(time.Millisecond)
		wantTicketOvertaken(t, "after the grace", old, ReasonReplaced)
		equal(t, "the new secret, IsNew", c.load().IsNew(), false)
		// A request that was loaded in the grace period may save after it.
		increment(inFlight)
		c.clone().request(increment)
		old.respond(inFlight)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 3) })
		equal(t, "former secrets that are remembered", c.load().snap.Identity().History.Len(), 1)
		old.cookie = "session=" + textOf(&inFlight.ticket)
		equal(t, "it knows the new secret", old.ticket(), c.ticket())
	})
}

// A retired secret is remembered for a minute after its grace period. Then its use is reported,
// and the next save drops it.
func TestX3RememberedForAMinute(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Grace: 10 * time.Second})
		c := newClient(t, m)
		c.request(set(t, 1))
		old := c.clone()
		c.request(renew)
		deliver(c)
		time.Sleep(70*time.Second - time.Millisecond)
		wantTicketOvertaken(t, "at the end of the minute", old, ReasonReplaced)
		c.request(increment)
		equal(t, "former secrets within it", c.load().snap.Identity().History.Len(), 1)
		equal(t, "alarms within it", m.Stats().Reused, 0)
		time.Sleep(time.Millisecond)
		wantStranger(t, "after it", old)
		equal(t, "alarms after it", m.Stats().Reused, 1)
		c.request(increment)
		equal(t, "former secrets after it", c.load().snap.Identity().History.Len(), 0)
		wantStranger(t, "forgotten", old)
		equal(t, "alarms in the end", m.Stats().Reused, 2)
	})
}

// X3: a renewal whose answer is lost signs nobody out. The old secret is accepted until the new
// one is presented, however long that takes, and each response sends the new cookie again.
func TestX3LostAnswerOfARenewal(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, Expiry: 30 * 24 * time.Hour})
		c := newSignedIn(t, m, "ann")
		lost := c.clone()
		lost.request(renew)
		for range 5 {
			time.Sleep(5 * time.Hour)
			wantAccepted(t, "before the delivery", c, lost)
		}
		tab := c.clone()
		tab.request(increment)
		equal(t, "the writer is told the new secret", tab.ticket(), lost.ticket())
		equal(t, "former secrets in the record", tab.clone().load().snap.Identity().History.Undelivered(), true)
		deliver(tab)
		time.Sleep(30*time.Second - time.Millisecond)
		wantAccepted(t, "within the grace", c, lost)
		time.Sleep(time.Millisecond)
		wantTicketOvertaken(t, "after the grace", c, ReasonReplaced)
		tab.request(func(s *Session) {
			equal(t, "subject", s.Subject(), "ann")
			equal(t, "visits", visits.Get(s), 1)
		})
		equal(t, "alarms", m.Stats().Reused, 0)
	})
}

// The delivery is saved once, by the first request with the new secret, also if it is passive. It
// is no use of the session, and a failure is ignored.
func TestX3DeliveryIsSavedOnce(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*Session){"read": read, "passive": (*Session).Passive, "nothing": func(*Session) {}} {
		inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newClient(t, m)
			c.request(set(t, 1))
			c.request(renew)
			seen := c.info().LastSeen
			time.Sleep(time.Second)
			store.failOn("save", errDown)
			c.request(handler)
			store.onCall(nil)
			equal(t, name+": saved although the store failed", c.clone().load().undelivered(), true)
			store.reset()
			c.request(handler)
			equal(t, name+": saves", store.count("save"), 1)
			equal(t, name+": touches", store.count("touch"), 0)
			c.request(handler)
			equal(t, name+": saves of the next", store.count("save"), 1)
			if name == "passive" {
				equal(t, name+": last seen", c.info().LastSeen, seen)
			}
			equal(t, name+": events", m.Stats().Touched, 1)
		})
	}
}

// X3: a retired secret is accepted in its grace period, through later renewals as well. The
// record keeps four; the oldest goes first. The grace periods end one after the other.
func TestX3RetiredSecretsAreAccepted(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		former := renewTimes(c, 4)
		for i := range former {
			wantAccepted(t, "former secret "+sprint(i), former[i], c)
		}
		former = append(former, renewTimes(c, 1)...)
		wantTicketOvertaken(t, "the fifth last", former[0], ReasonReplaced)
		for i := 1; i < 5; i++ {
			wantAccepted(t, "after the fifth, former secret "+sprint(i), former[i], c)
		}
		equal(t, "secrets in the record", c.load().snap.Identity().History.Len(), ticket.MaxRetired)
		deliver(c)
		// The grace of former secret 1 began with the renewal after its own, 3 seconds ago.
		time.Sleep(27*time.Second - time.Millisecond)
		for i := 1; i < 5; i++ {
			wantAccepted(t, "before its end, former secret "+sprint(i), former[i], c)
			time.Sleep(time.Millisecond)
			wantTicketOvertaken(t, "after its end, former secret "+sprint(i), former[i], ReasonReplaced)
			time.Sleep(time.Second - time.Millisecond)
		}
		equal(t, "current secret, IsNew", c.load().IsNew(), false)
		time.Sleep(59 * time.Second) // The last one's minute ends in a millisecond.
		wantTicketOvertaken(t, "the last", former[4], ReasonReplaced)
		equal(t, "alarms", m.Stats().Reused, 0)
		time.Sleep(time.Millisecond)
		for i := range former {
			wantStranger(t, "forgotten secret "+sprint(i), former[i])
		}
		equal(t, "alarms", m.Stats().Reused, 5)
		c.request(increment)
		l := c.load().snap.Identity().History
		equal(t, "former secrets left in the record", l.Len(), 0)
		equal(t, "bytes left in the record", len(l), 24)
	})
}

// A save by a client with a retired secret drops expired secrets from the record as well, a
// minute after their grace period.
func TestExpiredSecretsAreDropped(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		former := renewTimes(c, 3)
		time.Sleep(88*time.Second - time.Millisecond) // The minute of the first ends in a millisecond.
		late := former[2].clone()
		late.request(increment)
		equal(t, "former secrets in the record", late.load().snap.Identity().History.Len(), 3)
		time.Sleep(time.Millisecond)
		late = former[2].clone()
		late.request(increment)
		equal(t, "former secrets in the record", late.load().snap.Identity().History.Len(), 2)
		wantAccepted(t, "the last", former[2], c)
		c.request(signInAs(t, "ann"))
		equal(t, "line after a login", len(c.load().snap.Identity().History), 0)
		for i := range former[1:] {
			wantTicketOvertaken(t, "before the login", former[i+1], ReasonSignedIn)
		}
		time.Sleep(90 * time.Second)
		c.request(increment)
		equal(t, "past a minute after the grace", len(c.load().snap.Identity().Past), 0)
	})
}

// Without a grace period a retired secret opens nothing, delivered or not. It is remembered for a
// minute all the same; after that its use is reported.
func TestNoGrace(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, Grace: NoGrace, OnEvent: seen.add})
		c := newClient(t, m)
		c.request(set(t, 1))
		former := c.clone()
		c.request(renew)
		wantTicketOvertaken(t, "former secret", former, ReasonReplaced)
		equal(t, "current secret, IsNew", c.load().IsNew(), false)
		equal(t, "undelivered", c.load().undelivered(), false)
		equal(t, "former secrets in the record", c.load().snap.Identity().History.Len(), 0)
		time.Sleep(time.Minute - time.Millisecond)
		wantTicketOvertaken(t, "former secret, at the end of the minute", former, ReasonReplaced)
		equal(t, "alarms", m.Stats().Reused, 0)
		time.Sleep(time.Millisecond)
		wantStranger(t, "former secret, after it", former)
		equal(t, "reported", hasKind(seen.closeAndList(t, m), EventReused), true)
	})
}

// A renewal without a grace period breaks the chain of secrets, so that the secrets before it
// are refused.
func TestNoGraceAfterGrace(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		former := renewTimes(c, 1)
		c.m = newTestManager(t, Options{Store: store, Grace: NoGrace})
		former = append(former, renewTimes(c, 1)...)
		wantTicketOvertaken(t, "the one before last", former[0], ReasonReplaced)
		wantTicketOvertaken(t, "the last", former[1], ReasonReplaced)
		equal(t, "current secret, IsNew", c.load().IsNew(), false)
	})
}

// A client with a retired secret may write, renew and sign in like any other.
func TestWritesUnderThePreviousSecret(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": set(t, 2),
		"renew": func(s *Session) { want(t, s.Renew(), nil) },
		"login": func(s *Session) { want(t, s.Login("ann"), nil) },
		"touch": read,
	} {
		c := newClient(t, newTestManager(t, Options{}))
		c.request(set(t, 1))
		late := c.clone()
		c.request(func(s *Session) { want(t, s.Renew(), nil) })
		late.request(handler)
		equal(t, name+": the late one is in", late.load().IsNew(), false)
		equal(t, name+": under the id", late.ticket().ID, c.ticket().ID)
		equal(t, name+": the first one is in", c.load().IsNew(), name == "login")
	}
}

// R6: of several renewals at the same time one wins and the others take its secret. All cookies
// work, and there is one record.
func TestR6ParallelRenewals(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		id := c.id()
		tabs := make([]*client, 4)
		flight := make([]*Session, len(tabs))
		for i := range tabs {
			tabs[i] = c.clone()
			flight[i] = tabs[i].load()
			want(t, flight[i].Renew(), nil)
			increment(flight[i])
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].respond(flight[i]) })
		}
		group.Wait()
		for _, tab := range tabs {
			equal(t, "secrets agree", tab.ticket() == tabs[0].ticket(), true)
			equal(t, "secret is the old one", tab.ticket() == c.ticket(), false)
			equal(t, "id", tab.id(), id)
		}
		// A request that was sent before the renewal and arrives after it is accepted, and gets
		// the new secret.
		late := c.clone()
		reply := late.request(func(s *Session) { equal(t, "visits", visits.Get(s), 5) })
		if reply.SetCookie == "" || late.ticket() != tabs[0].ticket() {
			t.Error("the late request is not told the new secret")
		}
	})
}

// R6: a login ends the grace period of the renewals before it, also that of one in the same
// commit.
func TestR6LoginEndsTheGrace(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	oldest := c.clone()
	c.request(func(s *Session) { want(t, s.Renew(), nil) })
	equal(t, "within the grace", oldest.load().IsNew(), false)
	older := c.clone()
	c.request(func(s *Session) { want(t, s.Renew(), nil); want(t, s.Login("ann"), nil) })
	wantTicketOvertaken(t, "the secret before last", oldest, ReasonSignedIn)
	wantTicketOvertaken(t, "the last secret", older, ReasonSignedIn)
	equal(t, "the secret of now", c.load().Subject(), "ann")
	// The record forgets the renewals before the login.
	c.request(func(s *Session) { want(t, s.Renew(), nil) })
	c.request(func(s *Session) { want(t, s.Login("bob"), nil) })
	equal(t, "line of secrets in the record", len(c.load().snap.Identity().History), 0)
}

// R6: a request with a retired secret does not renew the session again, because that would shut
// out the requests that were sent with the same cookie.
func TestR6LateRenewal(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Store: newSpy()})
	c := newClient(t, m)
	c.request(set(t, 7))
	second, third := c.clone(), c.clone()
	renew := func(s *Session) { want(t, s.Renew(), nil) }
	c.request(renew)
	second.request(renew)
	for name, browser := range map[string]*client{"renewed": c, "followed": second, "sent before": third} {
		browser.request(func(s *Session) { equal(t, "visits of the one that "+name, visits.Get(s), 7) })
	}
}
