package core

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// A touch or renewal that becomes due within an hour of the load is done by this request, and a
// later one by the next request.
func TestTouchOrRenewalDueDuringARequest(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"touch": {Expiry: 20 * time.Hour}, "renewal": {RenewEvery: 2 * time.Hour}} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			o := o // Each kind of store has its own.
			o.Store = store
			for _, early := range []time.Duration{0, time.Millisecond} {
				c := newClient(t, newTestManager(t, o))
				c.request(set(t, 1))
				time.Sleep(time.Hour - early)
				slow := c.load()
				read(slow)
				time.Sleep(time.Hour + early)
				equal(t, name+": its cookie", c.respond(slow).SetCookie != "", early == 0)
				equal(t, name+": the next one's", c.request(read).SetCookie != "", early != 0)
				equal(t, name+": the one's after that", c.request(read).SetCookie, "")
			}
		})
	}
}

// Each explicit save checks whether a touch is due, however long after the load.
func TestTouchDueAtAnExplicitSave(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: 24 * time.Hour}))
		c.request(set(t, 1))
		s := c.load()
		for range 30 {
			time.Sleep(time.Hour)
			read(s)
			want(t, s.Save(t.Context()), nil)
		}
		equal(t, "IsNew", c.load().IsNew(), false)
	})
}

// An early commit may make a touch due before the response begins.
func TestTouchDueAfterAnEarlyCommit(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(set(t, 1))
		s := c.load()
		want(t, s.SetExpiry(time.Hour), nil)
		early, err := s.commit(t.Context())
		want(t, err, nil)
		equal(t, "its cookie", strings.Contains(early.SetCookie, "Max-Age=3600;"), true)
		time.Sleep(10 * time.Minute)
		read(s)
		equal(t, "that of the response", strings.Contains(c.respond(s).SetCookie, "Max-Age=3600;"), true)
	})
}

func TestD6TouchesAreThrottled(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		cookies int
		writes  int
	}{
		"an hour":                  {Options{Expiry: time.Hour}, 9, 9},
		"an hour, browser session": {Options{Expiry: time.Hour, Cookie: Cookie{SessionOnly: true}}, 0, 9},
		"default":                  {Options{}, 0, 0},
		"permanent":                {Options{Expiry: Permanent}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
				t.Helper()
				tc.options.Store = store
				c := newClient(t, newTestManager(t, tc.options))
				c.request(set(t, 1))
				store.reset()
				cookies := 0
				for range 10_000 {
					time.Sleep(time.Hour / 10_000)
					if c.request(read).SetCookie != "" {
						cookies++
					}
				}
				equal(t, "loads", store.count("load"), 10_000)
				if got := store.count("touch") + store.count("save"); got < tc.writes || got > tc.writes+1 {
					t.Errorf("%d writes, want about %d", got, tc.writes)
				}
				if cookies < tc.cookies || cookies > tc.cookies+1 {
					t.Errorf("%d cookies, want about %d", cookies, tc.cookies)
				}
			})
		})
	}
}

// A stream that only reads its session does not touch it, because no cookie can be sent any
// more.
func TestNoTouchOnceHeadersAreSent(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		s := c.load()
		c.respond(s)
		store.reset()
		time.Sleep(30 * time.Minute)
		want(t, s.Save(t.Context()), nil)
		equal(t, "calls", store.count(""), 0)
		increment(s)
		want(t, s.Save(t.Context()), nil)
		// The save has extended the record. The next request sends the cookie.
		if c.request(read).SetCookie == "" {
			t.Error("the next request does not send the cookie")
		}
	})
}

// A session that is larger than a lowered MaxSize can still be read and touched.
func TestTouchOfATooLargeSession(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(func(s *Session) { want(t, note.Set(s, strings.Repeat("x", 1000)), nil) })
		c.m = newTestManager(t, Options{Store: store, Expiry: time.Hour, MaxSize: 500})
		time.Sleep(30 * time.Minute)
		c.request(func(s *Session) { equal(t, "length", len(note.Get(s)), 1000) })
	})
}

// RenewEvery renews the secret when it is old enough, also in a request that only reads.
func TestRenewEvery(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){"reading": read, "writing": increment, "not even reading": func(*Session) {}} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
			c := newClient(t, m)
			c.request(set(t, 1))
			id := c.id()
			for i := range 3 {
				before := c.clone()
				time.Sleep(time.Hour - time.Millisecond)
				c.request(read)
				equal(t, name+": renewed too early", c.ticket() == before.ticket(), true)
				time.Sleep(time.Millisecond)
				reply := c.request(handler)
				if reply.SetCookie == "" || c.ticket() == before.ticket() {
					t.Fatalf("%s: not renewed after an hour", name)
				}
				wantAccepted(t, name, before, c)
				equal(t, name+": id", c.id(), id)
				equal(t, name+": renewed", m.Stats().Renewed, uint64(i+1))
			}
			equal(t, name+": cookie of the next", c.request(read).SetCookie, "")
			// A login replaces the secret as well.
			time.Sleep(time.Hour)
			c.request(signInAs(t, "ann"))
			time.Sleep(time.Hour - time.Millisecond)
			equal(t, name+": cookie before an hour after the login", c.request(read).SetCookie, "")
		})
	}
}

// R6: parallel requests renew an old secret once.
func TestR6RenewEveryInParallel(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(time.Hour)
		tabs := []*client{c.clone(), c.clone(), c.clone()}
		flight := make([]*Session, len(tabs))
		for i := range tabs {
			flight[i] = tabs[i].load()
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].respond(flight[i]) })
		}
		group.Wait()
		for _, tab := range tabs {
			equal(t, "the secrets agree", tab.ticket() == tabs[0].ticket(), true)
			equal(t, "renewed", tab.ticket() == c.ticket(), false)
		}
		equal(t, "renewals", m.Stats().Renewed, 1)
		// A later request with the retired secret gets the new one and renews nothing.
		late := c.clone()
		late.request(increment)
		equal(t, "the late one's secret", late.ticket() == tabs[0].ticket(), true)
		equal(t, "renewals", m.Stats().Renewed, 1)
	})
}

func TestNoRenewalOnceHeadersAreSent(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(time.Hour)
		s := c.load()
		s.sendHeaders()
		want(t, visits.Set(s, 2), nil)
		want(t, s.Save(t.Context()), nil)
		equal(t, "renewals", m.Stats().Renewed, 0)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
		equal(t, "renewals", m.Stats().Renewed, 1)
	})
}

// X2: a renewal extends neither the lifetime nor a cookie of SessionOnly.
func TestX2RenewEveryDoesNotExtendLifetime(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{
			Store: store, Expiry: 3 * time.Hour, Lifetime: 10 * time.Hour, RenewEvery: time.Hour,
			Cookie: Cookie{SessionOnly: true},
		}))
		c.request(set(t, 1))
		for range 9 {
			time.Sleep(time.Hour)
			reply := c.request(read)
			equal(t, "exact cookie", reply.SetCookie, c.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
		}
		time.Sleep(time.Hour - time.Millisecond)
		equal(t, "before the limit, IsNew", c.load().IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "at the limit, IsNew", c.load().IsNew(), true)
	})
}

// A client that has disconnected would not receive a new secret, so its secret is not renewed.
func TestNoRenewalForAClientThatHasGone(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, RenewEvery: time.Hour})
		c := newSignedIn(t, m, "ann")
		time.Sleep(2 * time.Hour)
		s := c.load()
		read(s)
		_, err := s.finish(canceledContext(t))
		want(t, err, nil)
		equal(t, "renewals", m.Stats().Renewed, 0)
		time.Sleep(time.Hour)
		equal(t, "subject", c.load().Subject(), "ann")
		// What the handler changed is saved.
		s = c.load()
		increment(s)
		_, err = s.finish(canceledContext(t))
		want(t, err, nil)
		equal(t, "visits", visits.Get(c.load()), 1)
	})
}

// A session may outgrow MaxSize by the secrets that renewals add to it.
func TestRenewalOfALargeSession(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSize: 400, Expiry: 30 * 24 * time.Hour, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.request(func(s *Session) { want(t, note.Set(s, strings.Repeat("x", 290)), nil) })
		for range 40 {
			time.Sleep(24 * time.Hour)
			c.request(read)
		}
		equal(t, "IsNew", c.load().IsNew(), false)
		equal(t, "renewals", m.Stats().Renewed, 40)
		s := c.load()
		want(t, note.Set(s, strings.Repeat("x", 399)), ErrTooLarge)
	})
}
