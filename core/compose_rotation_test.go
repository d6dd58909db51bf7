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
	equal(t, "events", kinds(events.closeAndList(t, m)), "created login loaded committed renewed loaded")
}

func TestX3GracePeriod(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Grace: 10 * time.Second}))
		c.request(set(t, 1))
		old := c.clone()
		c.request(func(s *Session) { want(t, s.Renew(), nil) })
		time.Sleep(10*time.Second - time.Millisecond)
		late := old.clone()
		if reply := late.request(read); reply.SetCookie == "" || late.ticket() != c.ticket() {
			t.Error("within the grace: the old secret's bearer is not told the new one")
		}
		inFlight := old.load()
		time.Sleep(time.Millisecond)
		equal(t, "after the grace, IsNew", old.load().IsNew(), true)
		equal(t, "the new secret, IsNew", c.load().IsNew(), false)
		// A request that was loaded in the grace period may save after it.
		increment(inFlight)
		c.clone().request(increment)
		old.respond(inFlight)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 3) })
		// The next save drops the retired secret.
		equal(t, "former secrets kept", c.load().snap.Identity().History.Len(), 0)
	})
}

// X3: a retired secret is accepted in its grace period, through later renewals as well. The
// record keeps four; the oldest goes first. The grace periods end one after the other.
func TestX3RetiredSecretsAreAccepted(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		former := renewTimes(c, 4)
		for i := range former {
			wantAccepted(t, "former secret "+sprint(i), former[i], c)
		}
		former = append(former, renewTimes(c, 1)...)
		equal(t, "the fifth last, IsNew", former[0].load().IsNew(), true)
		for i := 1; i < 5; i++ {
			wantAccepted(t, "after the fifth, former secret "+sprint(i), former[i], c)
		}
		equal(t, "secrets in the record", c.load().snap.Identity().History.Len(), ticket.MaxRetired)
		time.Sleep(26*time.Second - time.Millisecond) // the grace of former secret 1 began 4 seconds ago
		for i := 1; i < 5; i++ {
			wantAccepted(t, "before its end, former secret "+sprint(i), former[i], c)
			time.Sleep(time.Millisecond)
			equal(t, "after its end, IsNew", former[i].load().IsNew(), true)
			time.Sleep(time.Second - time.Millisecond)
		}
		equal(t, "current secret, IsNew", c.load().IsNew(), false)
		c.request(increment)
		l := c.load().snap.Identity().History
		equal(t, "former secrets left in the record", l.Len(), 0)
		equal(t, "bytes left in the record", len(l), 24)
	})
}

// A save by a client with a retired secret drops expired secrets from the record as well.
func TestExpiredSecretsAreDropped(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		former := renewTimes(c, 3)
		time.Sleep(28 * time.Second) // that of the first has ended 1 second ago
		late := former[2].clone()
		late.request(increment)
		equal(t, "former secrets in the record", late.load().snap.Identity().History.Len(), 1)
		wantAccepted(t, "the last", former[2], c)
		c.request(signInAs(t, "ann"))
		equal(t, "line after a login", len(c.load().snap.Identity().History), 0)
	})
}

func TestNoGrace(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, Grace: NoGrace, OnEvent: seen.add})
		c := newClient(t, m)
		c.request(set(t, 1))
		former := renewTimes(c, 1)
		equal(t, "former secret, IsNew", former[0].load().IsNew(), true)
		equal(t, "current secret, IsNew", c.load().IsNew(), false)
		equal(t, "former secrets in the record", c.load().snap.Identity().History.Len(), 0)
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
		equal(t, "the one before last, IsNew", former[0].load().IsNew(), true)
		equal(t, "the last, IsNew", former[1].load().IsNew(), true)
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
	equal(t, "the secret before last", oldest.load().IsNew(), true)
	equal(t, "the last secret", older.load().IsNew(), true)
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
