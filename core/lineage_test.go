package core

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// lineOf renews a client's session n times, a second apart, and returns the browser as it was before each renewal.
func lineOf(c *client, n int) (former []*client) {
	c.t.Helper()
	for range n {
		former = append(former, c.with())
		c.visit(renew)
		time.Sleep(time.Second)
	}
	return former
}

// follows fails the test unless the bearer of a former secret is let in and told the current one.
func follows(tb testing.TB, what string, former, current *client) {
	tb.Helper()
	late := former.with()
	reply := late.visit(func(s *Session) { equal(tb, what+": IsNew", s.IsNew(), false) })
	if reply.SetCookie == "" || late.ticketOf() != current.ticketOf() {
		tb.Errorf("%s: its bearer is not told the current secret", what)
	}
}

// A former secret leads to the current one through each renewal within the grace, up to four; then the oldest goes. The
// graces end one by one.
func TestX3FormerSecretsFollow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(set(t, 1))
		former := lineOf(c, 4)
		for i := range former {
			follows(t, "former secret "+sprint(i), former[i], c)
		}
		former = append(former, lineOf(c, 1)...)
		equal(t, "the fifth last, IsNew", former[0].arrive().IsNew(), true)
		for i := 1; i < 5; i++ {
			follows(t, "after the fifth, former secret "+sprint(i), former[i], c)
		}
		equal(t, "secrets in the record", c.arrive().snap.Identity().History.Len(), ticket.MaxRetired)
		time.Sleep(26*time.Second - time.Millisecond) // the grace of former secret 1 began 4 seconds ago
		for i := 1; i < 5; i++ {
			follows(t, "before its end, former secret "+sprint(i), former[i], c)
			time.Sleep(time.Millisecond)
			equal(t, "after its end, IsNew", former[i].arrive().IsNew(), true)
			time.Sleep(time.Second - time.Millisecond)
		}
		equal(t, "current secret, IsNew", c.arrive().IsNew(), false)
		c.visit(increment)
		l := c.arrive().snap.Identity().History
		equal(t, "former secrets left in the record", l.Len(), 0)
		equal(t, "bytes left in the record", len(l), 24)
	})
}

// A request that holds a former secret saves under the current one, and what it saves is pruned too.
func TestFormerSecretsArePruned(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(set(t, 1))
		former := lineOf(c, 3)
		time.Sleep(28 * time.Second) // that of the first has ended 1 second ago
		late := former[2].with()
		late.visit(increment)
		equal(t, "former secrets in the record", late.arrive().snap.Identity().History.Len(), 1)
		follows(t, "the last", former[2], c)
		c.visit(as(t, "ann"))
		equal(t, "line after a login", len(c.arrive().snap.Identity().History), 0)
	})
}

func TestNoGrace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, Grace: NoGrace, OnEvent: seen.add})
		c := newClient(t, m)
		c.visit(set(t, 1))
		former := lineOf(c, 1)
		equal(t, "former secret, IsNew", former[0].arrive().IsNew(), true)
		equal(t, "current secret, IsNew", c.arrive().IsNew(), false)
		equal(t, "former secrets in the record", c.arrive().snap.Identity().History.Len(), 0)
		equal(t, "reported", has(seen.after(t, m), EventReused), true)
	})
}

// A grace that was shortened to none breaks the chain, and a broken chain lets nobody in.
func TestNoGraceAfterGrace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.visit(set(t, 1))
		former := lineOf(c, 1)
		c.m = newTestManager(t, Options{Store: store, Grace: NoGrace})
		former = append(former, lineOf(c, 1)...)
		equal(t, "the one before last, IsNew", former[0].arrive().IsNew(), true)
		equal(t, "the last, IsNew", former[1].arrive().IsNew(), true)
		equal(t, "current secret, IsNew", c.arrive().IsNew(), false)
	})
}

// A secret that never was valid changes nothing and is no alarm, renewed session or not, with the same id or another.
func TestF1NeverValidIsNoReuse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, RevokeOnReuse: true, Logger: logger})
		c := newSignedIn(t, m, "ann")
		guess := func(change func(s *ticket.Secret)) {
			ticket := c.ticketOf()
			change(&ticket.Secret)
			forged := newClient(t, m)
			forged.cookie = "session=" + textOf(&ticket)
			equal(t, "forged secret, IsNew", forged.arrive().IsNew(), true)
		}
		for range 2 {
			guess(func(s *ticket.Secret) { s[0] ^= 1 })
			guess(func(s *ticket.Secret) { *s = ticket.Secret{} })
			guess(func(s *ticket.Secret) { *s = counting(7) })
			lineOf(c, 1)
			time.Sleep(time.Hour)
		}
		equal(t, "subject", c.arrive().Subject(), "ann")
		events := seen.after(t, m)
		equal(t, "reused", has(events, EventReused), false)
		equal(t, "revoked", has(events, EventRevoked), false)
		equal(t, "refused", m.Stats().Refused, 6)
		equal(t, "log", log.String(), "")
	})
}

// A secret that was valid once and comes in after the grace is reported, with each use, and opens nothing.
func TestReuseIsReported(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, Logger: logger})
		c := newSignedIn(t, m, "ann")
		former := lineOf(c, 6)
		time.Sleep(29*time.Second - time.Millisecond)
		equal(t, "within the latest grace, IsNew", former[0].arrive().IsNew(), true)
		equal(t, "alarms within it", m.Stats().Reused, 0)
		time.Sleep(time.Millisecond)
		for i := range former {
			equal(t, "after the grace, IsNew", former[i].arrive().IsNew(), true)
		}
		// As long as the session lives, and whatever is saved meanwhile.
		for range 10 {
			time.Sleep(5 * 24 * time.Hour)
			c.visit(increment)
		}
		thief := former[3].with()
		thief.visit(func(s *Session) {
			equal(t, "subject of the thief", s.Subject(), "")
			want(t, visits.Set(s, 1), nil)
		})
		equal(t, "the thief has a session of its own", thief.id() == c.id(), false)
		equal(t, "subject", c.arrive().Subject(), "ann")
		id, n := c.id(), 0
		for _, e := range seen.after(t, m) {
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

// With RevokeOnReuse the session ends for everybody, also when the thief has hung up.
func TestRevokeOnReuse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		former := lineOf(c, 1)
		time.Sleep(time.Hour)
		inFlight := c.arrive()
		equal(t, "the thief, IsNew", former[0].arrive().IsNew(), true)
		equal(t, "everybody, IsNew", c.arrive().IsNew(), true)
		increment(inFlight)
		equal(t, "cookie of the request in flight", c.with().leave(inFlight).SetCookie, "")
		equal(t, "after it, IsNew", c.arrive().IsNew(), true)
		for _, e := range seen.after(t, m) {
			if e.Kind == EventRevoked {
				equal(t, "session", e.SessionID, id)
				equal(t, "subject", e.Subject, "ann")
				equal(t, "reason", e.Reason, ReasonReuse)
			}
		}
		equal(t, "revoked", m.Stats().Revoked, 1)
	})
}

func TestRevokeOnReuseThoughTheThiefHangsUp(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		former := lineOf(c, 1)
		time.Sleep(time.Hour)
		ctx, hangUp := context.WithCancel(t.Context())
		store.hook(func(ctx context.Context, op, _ string) error {
			if op == "load" {
				hangUp()
				return nil
			}
			return ctx.Err()
		})
		s := attach(c.m, former[0].cookie)
		want(t, s.load(ctx), nil)
		store.hook(nil)
		equal(t, "records", store.records(), 0)
	})
}

// Where the store cannot end the session, the request is an error, and the next use ends it.
func TestRevokeOnReuseThatFails(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store, RevokeOnReuse: true}), "ann")
		former := lineOf(c, 1)
		time.Sleep(time.Hour)
		store.fail("delete", errDown)
		s := attach(c.m, former[0].cookie)
		want(t, s.load(t.Context()), ErrStore)
		store.hook(nil)
		equal(t, "the user, IsNew", c.arrive().IsNew(), false)
		equal(t, "the next use, IsNew", former[0].arrive().IsNew(), true)
		equal(t, "records", store.records(), 0)
	})
}

// No false alarm: a login starts a new line, and the secrets of the one before are nobody's.
func TestReuseBeforeALogin(t *testing.T) {
	t.Parallel()
	for name, prove := range map[string]func(s *Session) error{
		"login":   func(s *Session) error { return s.Login("ann") },
		"step-up": func(s *Session) error { return s.StepUp(Auth{}) },
	} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
			c := newSignedIn(t, m, "ann")
			former := append(lineOf(c, 2), c.with())
			c.visit(func(s *Session) { want(t, prove(s), nil) })
			for range 2 {
				for i := range former {
					equal(t, name+": former secret, IsNew", former[i].arrive().IsNew(), true)
				}
				time.Sleep(time.Hour)
				lineOf(c, 1)
				time.Sleep(time.Hour)
			}
			equal(t, name+": alarms", m.Stats().Reused, 0)
			equal(t, name+": refused", m.Stats().Refused, 6)
			equal(t, name+": subject", c.arrive().Subject(), "ann")
		})
	}
}

// No false alarm: a slow request whose secret was replaced, and whose grace ended, while it ran. It is refused.
func TestReuseBySlowRequest(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": set(t, 2), "touch": read, "renew": renew,
	} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, Expiry: 8 * time.Hour})
			c := newSignedIn(t, m, "ann")
			a := c.with()
			slow := a.arrive()
			lineOf(c, 2)
			time.Sleep(50 * time.Minute) // a touch is due
			handler(slow)
			equal(t, name+": cookie", a.leave(slow).SetCookie, "")
			equal(t, name+": alarms", m.Stats().Reused, 0)
			equal(t, name+": gone or refused", m.Stats().Gone, 1)
			equal(t, name+": refused", m.Stats().Refused, 1)
			equal(t, name+": subject", c.arrive().Subject(), "ann")
		})
	}
}

// A logout is one, however slow: nobody is told that they are signed out who is not.
func TestR8SlowLogout(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, NoGrace} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, Grace: grace})
			c := newSignedIn(t, m, "ann")
			a := c.with()
			slow := a.arrive()
			lineOf(c, 2)
			time.Sleep(time.Hour)
			slow.Destroy()
			equal(t, "cookie is removed", strings.Contains(a.leave(slow).SetCookie, "Max-Age=0"), true)
			equal(t, "subject", c.arrive().Subject(), "")
			equal(t, "alarms", m.Stats().Reused, 0)
		})
	}
}

// RevokeOthers with such a secret is no alarm either.
func TestReuseByRevokeOthers(t *testing.T) {
	t.Parallel()
	eachIndexed(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		slow := c.with().arrive()
		lineOf(c, 1)
		time.Sleep(time.Hour)
		_, err := m.RevokeOthers(t.Context(), slow)
		want(t, err, ErrGone)
		equal(t, "alarms", m.Stats().Reused, 0)
		equal(t, "subject", c.arrive().Subject(), "ann")
	})
}

// RenewEvery renews by age, on a request that only reads too, and the cookie goes out.
func TestRenewEvery(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){"reading": read, "writing": increment, "not even reading": func(*Session) {}} {
		inBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
			c := newClient(t, m)
			c.visit(set(t, 1))
			id := c.id()
			for i := range 3 {
				before := c.with()
				time.Sleep(time.Hour - time.Millisecond)
				c.visit(read)
				equal(t, name+": renewed too early", c.ticketOf() == before.ticketOf(), true)
				time.Sleep(time.Millisecond)
				reply := c.visit(handler)
				if reply.SetCookie == "" || c.ticketOf() == before.ticketOf() {
					t.Fatalf("%s: not renewed after an hour", name)
				}
				follows(t, name, before, c)
				equal(t, name+": id", c.id(), id)
				equal(t, name+": renewed", m.Stats().Renewed, uint64(i+1))
			}
			equal(t, name+": cookie of the next", c.visit(read).SetCookie, "")
			// A login counts as well.
			time.Sleep(time.Hour)
			c.visit(as(t, "ann"))
			time.Sleep(time.Hour - time.Millisecond)
			equal(t, name+": cookie before an hour after the login", c.visit(read).SetCookie, "")
		})
	}
}

// R6: two parallel requests at that age make one successor.
func TestR6RenewEveryInParallel(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(time.Hour)
		tabs := []*client{c.with(), c.with(), c.with()}
		flight := make([]*Session, len(tabs))
		for i := range tabs {
			flight[i] = tabs[i].arrive()
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].leave(flight[i]) })
		}
		group.Wait()
		for _, tab := range tabs {
			equal(t, "the secrets agree", tab.ticketOf() == tabs[0].ticketOf(), true)
			equal(t, "renewed", tab.ticketOf() == c.ticketOf(), false)
		}
		equal(t, "renewals", m.Stats().Renewed, 1)
		// One that comes later with the former secret follows too, and renews nothing.
		late := c.with()
		late.visit(increment)
		equal(t, "the late one's secret", late.ticketOf() == tabs[0].ticketOf(), true)
		equal(t, "renewals", m.Stats().Renewed, 1)
	})
}

func TestRenewEveryNotOnASealedResponse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(time.Hour)
		s := c.arrive()
		s.seal()
		want(t, visits.Set(s, 2), nil)
		want(t, s.Save(t.Context()), nil)
		equal(t, "renewals", m.Stats().Renewed, 0)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
		equal(t, "renewals", m.Stats().Renewed, 1)
	})
}

// A renewal that nobody asked for and that fails is no error of the request, and the next request makes it.
func TestRenewEveryThatFails(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RenewEvery: time.Hour})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(time.Hour)
		before := c.with()
		store.fail("save", errDown)
		equal(t, "cookie", c.visit(read).SetCookie, "")
		s := c.arrive()
		increment(s)
		_, err := s.commit(t.Context())
		want(t, err, ErrStore)
		store.hook(nil)
		equal(t, "failures told", m.Stats().StoreFailures, 2)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
		equal(t, "renewed by the next", c.ticketOf() == before.ticketOf(), false)
		follows(t, "the one before", before, c)
		// A session that ended meanwhile is no error for one who only read, and gets no cookie.
		time.Sleep(time.Hour)
		s = c.arrive()
		c.with().visit((*Session).Destroy)
		reply, err := s.commit(t.Context())
		want(t, err, nil)
		equal(t, "cookie of one that ended", reply.SetCookie, "")
	})
}

// X2: renewal by age does not extend the absolute limit, and SessionOnly cookies stay without a life.
func TestX2RenewEvery(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{
			Store: store, Expiry: 3 * time.Hour, Lifetime: 10 * time.Hour, RenewEvery: time.Hour,
			Cookie: Cookie{SessionOnly: true},
		}))
		c.visit(set(t, 1))
		for range 9 {
			time.Sleep(time.Hour)
			reply := c.visit(read)
			equal(t, "exact cookie", reply.SetCookie, c.cookie+"; Path=/; HttpOnly; Secure; SameSite=Lax")
		}
		time.Sleep(time.Hour - time.Millisecond)
		equal(t, "before the limit, IsNew", c.arrive().IsNew(), false)
		time.Sleep(time.Millisecond)
		equal(t, "at the limit, IsNew", c.arrive().IsNew(), true)
	})
}

// T3: the line of secrets in a record holds none of them.
func TestT3LineageHidesItsSecrets(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	tickets := []ticket.Ticket{c.ticketOf()}
	for range 4 {
		c.visit(renew)
		tickets = append(tickets, c.ticketOf())
	}
	rec, err := store.Load(t.Context(), "session:"+c.id())
	want(t, err, nil)
	for i := range tickets {
		s := tickets[i].Secret
		equal(t, "shared half in the record", bytes.Contains(rec.Data, s[:16]), false)
		equal(t, "own half in the record", bytes.Contains(rec.Data, s[16:]), false)
		equal(t, "shared by the line", bytes.Equal(s[:16], tickets[0].Secret[:16]), true)
		equal(t, "own halves differ", slices.Index(tickets, tickets[i]), i)
	}
}

// A browser that sends the former cookie beside the current one, as after a change of the cookie's path, is no thief.
func TestReuseBesideTheCurrentSecret(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true})
		c := newSignedIn(t, m, "ann")
		former := c.cookie
		lineOf(c, 1)
		time.Sleep(time.Hour)
		current := c.cookie
		for _, cookie := range []string{former + "; " + current, current + "; " + former} {
			c.cookie = cookie
			equal(t, "subject", c.arrive().Subject(), "ann")
		}
		equal(t, "alarms", m.Stats().Reused, 0)
		// Beside another session's it is an alarm as ever.
		c.cookie = former + "; " + newSignedIn(t, m, "bob").cookie
		equal(t, "subject of the other", c.arrive().Subject(), "bob")
		equal(t, "alarms", m.Stats().Reused, 1)
		c.cookie = current
		equal(t, "the session, IsNew", c.arrive().IsNew(), true)
	})
}

// A client that has gone away does not get a new secret, so its old one must stay good.
func TestNoRenewalForAClientThatHasGone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, RevokeOnReuse: true, RenewEvery: time.Hour})
		c := newSignedIn(t, m, "ann")
		time.Sleep(2 * time.Hour)
		s := c.arrive()
		read(s)
		_, err := s.finish(hungUp(t))
		want(t, err, nil)
		equal(t, "renewals", m.Stats().Renewed, 0)
		time.Sleep(time.Hour)
		equal(t, "subject", c.arrive().Subject(), "ann")
		// What the handler changed is saved all the same.
		s = c.arrive()
		increment(s)
		_, err = s.finish(hungUp(t))
		want(t, err, nil)
		equal(t, "visits", visits.Get(c.arrive()), 1)
	})
}
