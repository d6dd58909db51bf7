package core

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

func TestReadsOfANewSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
		equal(t, "IsNew", s.IsNew(), true)
		equal(t, "Subject", s.Subject(), "")
		equal(t, "Len", s.Len(), 0)
		equal(t, "visits", visits.Get(s), 0)
		if _, ok := visits.Lookup(s); ok {
			t.Error("a value that nobody set")
		}
		if _, ok := visits.Take(s); ok {
			t.Error("a value to take that nobody set")
		}
		want(t, visits.Delete(s), nil)
		want(t, s.Clear(), nil)
		want(t, s.Renew(), nil)
		for what, at := range map[string]time.Time{"Created": s.Created(), "LastSeen": s.LastSeen(), "Expires": s.Expires()} {
			if !at.IsZero() {
				t.Errorf("%s is %v, want the zero time", what, at)
			}
		}
	})
	equal(t, "cookie", c.cookie, "")
}

func TestSetExpiryLimits(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) {
		for _, d := range []time.Duration{-2, -time.Hour, 1, 3600, time.Second - 1} {
			if err := s.SetExpiry(d); err == nil || !strings.Contains(err.Error(), "SetExpiry") {
				t.Errorf("SetExpiry(%v): %v", d, err)
			}
		}
		want(t, s.SetExpiry(time.Hour), nil) // Alone it starts no session.
	})
	equal(t, "cookie", c.cookie, "")
}

func TestSetExpiryPersists(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		c := newClient(t, m)
		left := func() (d time.Duration) {
			s := c.load()
			if at := s.Expires(); !at.IsZero() {
				return time.Until(at)
			}
			return Permanent
		}
		// On a session without data it takes effect with the first value.
		c.request(func(s *Session) { want(t, s.SetExpiry(10*time.Hour), nil); want(t, visits.Set(s, 1), nil) })
		equal(t, "at first", left(), 10*time.Hour)
		time.Sleep(9 * time.Hour)
		reply := c.request(read)
		if !strings.Contains(reply.SetCookie, "Max-Age=36000;") {
			t.Errorf("the touch says %q", reply.SetCookie)
		}
		equal(t, "after a touch", left(), 10*time.Hour)
		c.request(increment)
		equal(t, "after a write", left(), 10*time.Hour)
		c.request(func(s *Session) { want(t, s.SetExpiry(Permanent), nil) })
		equal(t, "permanent", left(), Permanent)
		time.Sleep(1000 * time.Hour)
		c.request(increment)
		reply = c.request(func(s *Session) { want(t, s.SetExpiry(30*time.Minute), nil) })
		if !strings.Contains(reply.SetCookie, "Max-Age=1800;") {
			t.Errorf("a shorter life is not told the browser: %q", reply.SetCookie)
		}
		equal(t, "shorter than the policy", left(), 30*time.Minute)
		c.request(func(s *Session) { want(t, s.SetExpiry(0), nil) })
		equal(t, "back to the policy", left(), time.Hour)
		time.Sleep(time.Hour)
		equal(t, "IsNew", c.load().IsNew(), true)
	})
}

// Remember overrides SessionOnly both ways, until the next choice.
func TestRemember(t *testing.T) {
	t.Parallel()
	for _, only := range []bool{false, true} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour, Cookie: Cookie{SessionOnly: only}})
			c := newClient(t, m)
			exact := func(what string, r adapter.Reply, persistent bool) {
				t.Helper()
				life := ""
				if persistent {
					life = "; Max-Age=36000"
				}
				equal(t, what, r.SetCookie, c.cookie+"; Path=/"+life+"; HttpOnly; Secure; SameSite=Lax")
				equal(t, what+": listed as persistent", c.info().Persistent, persistent)
			}
			exact("by the manager", c.request(set(t, 1)), !only)
			c.request(func(s *Session) { want(t, s.Remember(only), nil) })
			exact("another's choice", c.request(signInAs(t, "ann")), !only)
			for _, choice := range []bool{only, !only, only} {
				exact("chosen", c.request(func(s *Session) { want(t, s.Remember(choice), nil) }), choice)
				exact("renewed", c.request(renew), choice)
				exact("signed in", c.request(signInAs(t, "ann")), choice)
				exact("stepped up", c.request(func(s *Session) { want(t, s.StepUp(Auth{}), nil) }), choice)
				equal(t, "cookie of a write", c.request(increment).SetCookie, "")
				time.Sleep(time.Hour)
				reply := c.request(read)
				if !choice {
					equal(t, "cookie of a touch", reply.SetCookie, "")
				} else {
					exact("touched", reply, true)
				}
				time.Sleep(time.Hour)
				equal(t, "cookie of a late write", c.request(increment).SetCookie != "", choice)
			}
		})
	}
}

// On a session without data Remember takes effect with the first value, and does not start a
// session.
func TestRememberOnANewSession(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, Cookie: Cookie{SessionOnly: true}}))
	reply := c.request(func(s *Session) { want(t, s.Remember(true), nil) })
	equal(t, "cookie", reply.SetCookie, "")
	equal(t, "calls", store.count(""), 0)
	reply = c.request(func(s *Session) {
		want(t, s.Remember(true), nil)
		want(t, s.Login("ann"), nil)
	})
	equal(t, "cookie", reply.SetCookie, c.cookie+"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax")
	// The choices of two requests are merged, and so are their data.
	a, b := c.clone(), c.clone()
	x, y := a.load(), b.load()
	want(t, x.Remember(false), nil)
	increment(x)
	want(t, y.SetExpiry(time.Hour), nil)
	a.respond(x)
	reply = b.respond(y)
	equal(t, "cookie after both", reply.SetCookie, b.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
	s := b.load()
	equal(t, "visits", visits.Get(s), 1)
	equal(t, "idle timeout", s.Expires().Sub(s.LastSeen()), time.Hour)
}

// A user does not inherit the choices of another in the same browser.
func TestRememberIsNotInherited(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Expiry: time.Hour, Cookie: Cookie{SessionOnly: true}})
	c := newClient(t, m)
	remembered := func(user string) func(s *Session) {
		return func(s *Session) {
			want(t, s.Login(user), nil)
			want(t, s.Remember(true), nil)
			want(t, s.SetExpiry(720*time.Hour), nil)
		}
	}
	c.request(remembered("ann"))
	equal(t, "ann's remaining", c.load().Remaining() > 700*time.Hour, true)
	c.request(signInAs(t, "ann"))
	equal(t, "ann's after another login", c.load().Remaining() > 700*time.Hour, true)
	reply := c.request(signInAs(t, "bob"))
	equal(t, "bob's cookie has a life", strings.Contains(reply.SetCookie, "Max-Age"), false)
	equal(t, "bob's remaining", c.load().Remaining() <= time.Hour, true)
	reply = c.request(remembered("eve"))
	equal(t, "eve's cookie has a life", strings.Contains(reply.SetCookie, "Max-Age"), true)
}

func TestRemaining(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: 10 * time.Hour, Lifetime: 15 * time.Hour}))
		c.request(func(s *Session) {
			equal(t, "of a new session", s.Remaining(), 0)
			want(t, visits.Set(s, 1), nil)
			equal(t, "of one that is not stored", s.Remaining(), 0)
		})
		equal(t, "at first", c.load().Remaining(), 10*time.Hour)
		time.Sleep(30 * time.Minute)
		equal(t, "later", c.load().Remaining(), 9*time.Hour+30*time.Minute)
		time.Sleep(7 * time.Hour)
		c.request(read)
		s := c.load()
		equal(t, "by the absolute limit", s.Remaining(), 7*time.Hour+30*time.Minute)
		time.Sleep(8 * time.Hour)
		equal(t, "of one whose time is over", s.Remaining(), 0)
		c = newClient(t, newTestManager(t, Options{Store: store, Expiry: Permanent}))
		c.request(set(t, 1))
		s = c.load()
		equal(t, "of a permanent one", s.Remaining(), Permanent)
		c.clone().request((*Session).Destroy)
		increment(s)
		c.clone().respond(s)
		equal(t, "of one that was ended", s.Remaining(), 0)
	})
}

// A new idle timeout shows at once.
func TestRemainingAfterSetExpiry(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, Expiry: time.Hour}))
		c.request(set(t, 1))
		time.Sleep(time.Minute)
		c.request(func(s *Session) {
			want(t, s.SetExpiry(2*time.Hour), nil)
			equal(t, "remaining", s.Remaining(), 2*time.Hour)
			equal(t, "expires", s.Expires().Equal(time.Now().Add(2*time.Hour)), true)
			want(t, s.SetExpiry(Permanent), nil)
			equal(t, "remaining for ever", s.Remaining(), Permanent)
			want(t, s.SetExpiry(0), nil)
			equal(t, "remaining by the policy", s.Remaining(), time.Hour)
		})
	})
}

// A2: a session that is used after its request shows what it knew last.
func TestA2UseAfterReturn(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	var kept *Session
	c.request(func(s *Session) { kept = s; want(t, visits.Set(s, 1), nil) })
	equal(t, "visits", visits.Get(kept), 1)
	c.request(set(t, 2))
	equal(t, "visits of the kept one", visits.Get(kept), 1)
	store.reset()
	want(t, note.Set(kept, "late"), nil)
	equal(t, "calls", store.count(""), 0)
	want(t, kept.Save(t.Context()), nil)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 2)
		equal(t, "note", note.Get(s), "late")
	})
	c.request((*Session).Destroy)
	want(t, note.Set(kept, "too late"), nil)
	want(t, kept.Save(t.Context()), ErrGone)
	want(t, note.Set(kept, "far too late"), ErrGone)
	want(t, kept.Save(t.Context()), ErrGone)
	wantRecords(t, "afterwards", store, 0, 1)
}

// A3: goroutines of one request share its session.
func TestA3SharedByGoroutines(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 0))
	s := c.load()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			mine := Key[int](strings.Repeat("k", i+1))
			for n := range 50 {
				increment(s)
				want(t, mine.Set(s, n), nil)
				if got := mine.Get(s); got != n {
					t.Errorf("read %d, wrote %d", got, n)
				}
				_, _, _, _ = s.Keys(), s.Subject(), s.String(), s.Expires()
				if n%10 == 9 {
					want(t, s.Save(t.Context()), nil)
				}
			}
		})
	}
	group.Wait()
	c.respond(s)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 400)
		equal(t, "Len", s.Len(), 9)
	})
}
