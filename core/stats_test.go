package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// Every count is that of what happened, with a hook and without one.
func TestStats(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(Event){"hook": func(Event) {}, "no hook": nil} {
		inBubbleWith(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 2, OnEvent: hook, Expiry: time.Hour})
			equal(t, name+": at the start", m.Stats(), Stats{})
			c := newClient(t, m)
			c.visit(set(t, 1)) // created
			planted := c.with()
			c.visit(as(t, "ann")) // loaded, committed, login
			planted.arrive()      // refused
			former := c.with()
			c.visit(renew) // loaded, committed, renewed
			a, b := c.with(), c.with()
			x, y := a.arrive(), b.arrive() // loaded twice
			increment(x)
			increment(y)
			a.leave(x) // committed
			b.leave(y) // merged, committed
			time.Sleep(31 * time.Second)
			former.arrive() // reused
			time.Sleep(10 * time.Minute)
			c.visit(read) // loaded, touched
			time.Sleep(10 * time.Minute)
			c.visit(read)                         // loaded, touched
			newSignedIn(t, m, "ann")              // created, login
			last := newSignedIn(t, m, "ann")      // created, login, limit reached, revoked
			s := last.arrive()                    // loaded
			last.with().visit((*Session).Destroy) // loaded, destroyed
			increment(s)
			last.leave(s)                                              // gone
			damage(t, store, "session:"+newSignedIn(t, m, "bob").id()) // created, login, loaded
			bad := newSignedIn(t, m, "cy")                             // created, login
			damage(t, store, "session:"+bad.id())                      // loaded
			bad.arrive()                                               // undecodable
			old := newClient(t, newTestManager(t, Options{Store: store, Expiry: 9 * time.Hour}))
			old.visit(set(t, 1))
			time.Sleep(2 * time.Hour)
			old.m = m
			old.arrive() // expired
			store.fail("load", errDown)
			want(t, loadOf(t, m, bad), ErrStore) // store failure
			equal(t, name, m.Stats(), Stats{
				Created: 5, Loaded: 10, Committed: 4, Merged: 1, Touched: 2, Renewed: 1, Logins: 5, Destroyed: 1, Revoked: 1, Gone: 1,
				Expired: 1, Refused: 1, Reused: 1, LimitsReached: 1, Undecodable: 1, StoreFailures: 1,
			})
		})
	}
}

// loadOf loads the session of a request of c.
func loadOf(tb testing.TB, m *Manager, c *client) error {
	tb.Helper()
	return attach(m, c.cookie).load(tb.Context())
}

// What the hook was too slow for is counted.
func TestStatsOfDroppedEvents(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	m := newTestManager(t, Options{OnEvent: func(Event) { <-block }})
	c := newClient(t, m)
	c.visit(set(t, 1))
	for range eventQueue + 100 {
		c.arrive()
	}
	dropped := m.Stats().EventsDropped
	equal(t, "dropped, or one in hand", dropped == 100 || dropped == 101, true)
	equal(t, "loaded, all the same", m.Stats().Loaded, eventQueue+100)
	close(block)
}

type contextKey struct{}

// StoreEvents tells each call with its time and its end, and whose request it was.
func TestStoreEvents(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, StoreEvents: true, Expiry: time.Hour})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		time.Sleep(10 * time.Minute)
		c.visit(read)
		store.hook(func(context.Context, string, string) error { time.Sleep(time.Second); return nil })
		_, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		_, _, err = m.Page(t.Context(), "", 0)
		want(t, err, nil)
		_, err = m.Count(t.Context())
		want(t, err, nil)
		store.fail("delete", errDown)
		want(t, m.Revoke(t.Context(), "ann", id), ErrStore)
		wanted := []struct {
			operation, id string
			took          time.Duration
			err           error
		}{
			{"save", id, 0, nil},
			{"load", id, 0, nil},
			{"load", id, 0, nil},
			{"touch", id, 0, nil},
			{"list subject", "", time.Second, nil},
			{"list", "", time.Second, nil},
			{"count", "", time.Second, nil},
			{"load", id, 0, nil},
			{"delete", id, 0, errDown},
		}
		n := 0
		for _, e := range seen.after(t, m) {
			if e.Kind == EventStoreFailed {
				equal(t, "operation that failed", e.Operation, "delete")
			}
			if e.Kind != EventStoreCalled {
				continue
			}
			if n < len(wanted) {
				w := wanted[n]
				equal(t, "operation", e.Operation, w.operation)
				equal(t, w.operation+": session", e.SessionID, w.id)
				equal(t, w.operation+": took", e.Took, w.took)
				equal(t, w.operation+": ended as expected", errors.Is(e.Err, w.err), true)
			}
			n++
		}
		equal(t, "calls told", n, len(wanted))
	})
}

func TestStoreEventsAreOptional(t *testing.T) {
	t.Parallel()
	seen := new(recorder)
	m := newTestManager(t, Options{OnEvent: seen.add})
	newSignedIn(t, m, "ann").visit(increment)
	equal(t, "told without the option", has(seen.after(t, m), EventStoreCalled), false)
}

// An event says when, and carries the values of the request's context, also where the save outlives the request.
func TestEventFields(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add})
		ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "trace"))
		s := attach(m)
		want(t, s.load(ctx), nil)
		want(t, s.Login("ann"), nil)
		want(t, visits.Set(s, 1), nil)
		hangUp()
		begun := time.Now()
		_, err := s.finish(ctx)
		want(t, err, nil)
		time.Sleep(time.Minute)
		want(t, m.Revoke(ctx, "ann", s.ID()), nil)
		want(t, visits.Set(s, 2), nil)
		want(t, s.Save(ctx), ErrGone)
		want(t, s.Login("bob"), ErrGone)
		events := seen.after(t, m)
		equal(t, "kinds", kinds(events), "created login revoked gone")
		for i, at := range []time.Time{begun, begun, begun.Add(time.Minute), begun.Add(time.Minute)} {
			e := events[i]
			kind := e.Kind.String()
			equal(t, kind+": time", e.Time, at)
			equal(t, kind+": value of the context", e.Context.Value(contextKey{}) == "trace", true)
			equal(t, kind+": session", e.SessionID, s.ID())
			equal(t, kind+": subject", e.Subject, "ann")
			equal(t, kind+": reason", e.Reason != "", e.Kind == EventRevoked)
		}
	})
}

// With the memory store, whose records are looked up in a way of their own, each load and each refusal counts as well, and
// leads to what it leads to elsewhere.
func TestStatsOfTheMemoryStore(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, func() *memstore.Store { return memstore.New(memstore.Options{}) }, func(t *testing.T, store *memstore.Store) {
		t.Helper()
		logger, log := debugLog()
		m := newTestManager(t, Options{Store: store, Logger: logger, Expiry: time.Hour})
		c := newClient(t, m)
		c.visit(set(t, 1)) // created
		for range 3 {
			c.visit(read) // loaded
		}
		other := c.with()
		other.cookie = "session=" + sameID(c)
		other.visit(read) // refused
		other.m = newTestManager(t, Options{Store: store, Logger: logger, Cookie: Cookie{Name: "other"}})
		other.cookie = "other=" + strings.TrimPrefix(c.cookie, "session=")
		other.visit(read) // refused by the other
		equal(t, "refused by the other", other.m.Stats(), Stats{Refused: 1})
		former := c.with()
		c.visit(renew) // loaded, committed, renewed
		time.Sleep(31 * time.Second)
		former.visit(read)                  // reused
		damage(t, store, "session:"+c.id()) // loaded
		c.visit(read)                       // undecodable
		equal(t, "warned of", strings.Contains(log.String(), "undecodable"), true)
		equal(t, "stats", m.Stats(), Stats{Created: 1, Loaded: 5, Refused: 1, Committed: 1, Renewed: 1, Reused: 1, Undecodable: 1})

		old := newClient(t, newTestManager(t, Options{Store: store, Logger: logger, Expiry: 9 * time.Hour}))
		old.visit(set(t, 1))
		time.Sleep(2 * time.Hour)
		old.m = m
		ended := old.with()
		old.visit(read) // expired
		equal(t, "expired", m.Stats().Expired, 1)
		_, err := store.Load(t.Context(), m.keyspace.key(ended.ticketOf().ID))
		want(t, err, ErrNotFound)
	})
}
