package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// stores are the three ways a store may look to the manager.
func stores() map[string]func() Store {
	return map[string]func() Store{
		"memory":          func() Store { return memstore.New(memstore.Options{}) },
		"without Instant": func() Store { return newTouchSpy() },
		"without Toucher": func() Store { return newSpy() },
	}
}

// eachStore runs a test against all of them.
func eachStore(t *testing.T, test func(t *testing.T, store Store)) {
	t.Helper()
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open())
		})
	}
}

// R1: A loads, B destroys, A does whatever it does. Dead stays dead and A gets no cookie (R9 too).
func TestR1LogoutWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write":      func(s *Session) { _ = visits.Set(s, 2) },
		"update":     increment,
		"delete":     func(s *Session) { _ = visits.Delete(s) },
		"clear":      func(s *Session) { _ = s.Clear() },
		"renew":      func(s *Session) { _ = s.Renew() },
		"login":      func(s *Session) { _ = s.Login("bob") },
		"set expiry": func(s *Session) { _ = s.SetExpiry(Permanent) },
		"read":       read,
		"nothing":    func(*Session) {},
		"destroy":    (*Session).Destroy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store Store) {
				t.Helper()
				m := newTestManager(t, Options{Store: store})
				a := newClient(t, m)
				a.visit(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
				b, k := a.with(), m.keyspace.prefix+a.id()
				s := a.arrive()
				b.visit((*Session).Destroy)
				handler(s)
				reply := a.leave(s)
				if reply.SetCookie != "" && !strings.Contains(reply.SetCookie, gone) {
					t.Errorf("A gets the cookie %q", reply.SetCookie)
				}
				_, err := store.Load(t.Context(), k)
				want(t, err, ErrNotFound)
				equal(t, "A's cookie opens a session", !a.arrive().IsNew(), false)
			})
		})
	}
}

// R1 where A is only due for a touch.
func TestR1TouchDoesNotRevive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
		a := newClient(t, m)
		a.visit(set(t, 1))
		b, k := a.with(), m.keyspace.prefix+a.id()
		time.Sleep(30 * time.Minute)
		s := a.arrive()
		b.visit((*Session).Destroy)
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Set-Cookie", a.leave(s).SetCookie, "")
		_, err := store.Load(t.Context(), k)
		want(t, err, ErrNotFound)
	})
}

// R1 at its narrowest: the logout lands between A's attempts to save.
func TestR1LogoutDuringTheMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	a := newClient(t, m)
	a.visit(set(t, 1))
	other, out := a.with(), a.with()
	s := a.arrive()
	increment(s)
	first := true
	store.once(func() {
		other.visit(func(s *Session) { want(t, note.Set(s, "other"), nil) })
		store.hook(func(_ context.Context, op, _ string) error {
			if op == "save" && first {
				first = false
				out.visit((*Session).Destroy) //nolint:contextcheck // another request's
			}
			return nil
		})
	})
	equal(t, "Set-Cookie", a.leave(s).SetCookie, "")
	equal(t, "records", store.records(), 0)
	want(t, visits.Set(s, 3), ErrGone)
}

// R2: a login in B leaves A's request under the old secret outside, and B's data as B left it.
func TestR2LoginWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": func(s *Session) { _ = visits.Set(s, 2) }, "update": increment, "clear": func(s *Session) { _ = s.Clear() },
		"renew": func(s *Session) { _ = s.Renew() }, "login": func(s *Session) { _ = s.Login("eve") },
		"read": read, "destroy": (*Session).Destroy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store Store) {
				t.Helper()
				var events recorder
				m := newTestManager(t, Options{Store: store, OnEvent: events.add})
				a := newClient(t, m)
				a.visit(set(t, 1))
				b := a.with()
				s := a.arrive()
				b.visit(func(s *Session) { want(t, s.Login("ann"), nil); want(t, note.Set(s, "b"), nil) })
				handler(s)
				equal(t, "A's Set-Cookie", a.leave(s).SetCookie, "")
				b.visit(func(s *Session) {
					equal(t, "Subject", s.Subject(), "ann")
					equal(t, "visits", visits.Get(s), 1)
					equal(t, "note", note.Get(s), "b")
				})
				equal(t, "A is outside", a.arrive().IsNew(), true)
				if name != "read" {
					equal(t, "an event", has(events.after(t, m), EventGone), true)
				}
			})
		})
	}
}

// R3 over requests in flight: what ends the sessions of a user ends those that are being written.
func TestR3DeleteWinsOverManyInFlight(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	k := m.keyspace.prefix + c.id()
	flight := make([]*Session, 32)
	for i := range flight {
		flight[i] = c.with().arrive()
		increment(flight[i])
	}
	var group sync.WaitGroup
	for i, s := range flight {
		group.Go(func() {
			if i == len(flight)/2 {
				want(t, store.Delete(t.Context(), k), nil)
			}
			_, err := s.finish(t.Context())
			want(t, err, nil)
		})
	}
	group.Wait()
	equal(t, "records", store.Len(), 0)
	after := newClient(t, m)
	after.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	after.visit(func(s *Session) { equal(t, "a session made after it", s.Subject(), "ann") })
}

func TestR4DifferentKeys(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		var events recorder
		m := newTestManager(t, Options{Store: store, OnEvent: events.add})
		c := newClient(t, m)
		c.visit(func(s *Session) {
			for _, k := range []string{"kept", "deleted", "changed", "fought over"} {
				want(t, s.Set(k, "before"), nil)
			}
		})
		a, b := c.arrive(), c.with().arrive()
		want(t, a.Set("of a", 1), nil)
		want(t, a.Delete("deleted"), nil)
		want(t, a.Set("fought over", "a"), nil)
		want(t, b.Set("of b", 1), nil)
		want(t, b.Set("changed", "after"), nil)
		want(t, b.Set("fought over", "b"), nil)
		c.leave(b)
		c.leave(a)
		equal(t, "A sees what B did", strings.Join(a.Keys(), ","), "changed,fought over,kept,of a,of b")
		c.visit(func(s *Session) {
			equal(t, "Keys", strings.Join(s.Keys(), ","), "changed,fought over,kept,of a,of b")
			equal(t, "changed", Key[string]("changed").Get(s), "after")
			equal(t, "fought over: the last to save", Key[string]("fought over").Get(s), "a")
		})
		equal(t, "events", kinds(events.after(t, m)), "created loaded loaded committed merged committed loaded")
	})
}

// Two clears, updates and sets over each other.
func TestR4ClearAgainstAdd(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	a, b := c.arrive(), c.with().arrive()
	want(t, a.Clear(), nil)
	increment(a)
	want(t, b.Set("added", 1), nil)
	increment(b)
	c.leave(b)
	c.leave(a)
	c.visit(func(s *Session) {
		equal(t, "Keys", strings.Join(s.Keys(), ","), "visits")
		equal(t, "visits", visits.Get(s), 1)
	})
}

func TestR4bNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Minute}))
		c.visit(set(t, 0))
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				mine := c.with()
				for range 100 {
					mine.visit(increment)
				}
			})
		}
		group.Wait()
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1600) })
	})
}

// An update whose value another request has changed meanwhile runs again, once for each update, in order.
func TestUpdateRunsAgain(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	s := c.arrive()
	var saw []int
	add := func(n int) int { saw = append(saw, n); return n + 1 }
	double := func(n int) int { saw = append(saw, n); return n * 2 }
	equal(t, "add", visits.Update(s, add), 2)
	equal(t, "double", visits.Update(s, double), 4)
	c.with().visit(set(t, 10))
	c.leave(s)
	equal(t, "what the functions saw", fmt.Sprint(saw), "[1 2 10 11]")
	equal(t, "after the merge", visits.Get(s), 22)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 22) })
}

// After a Set, a Delete or a Clear an update no longer depends on what is stored.
func TestUpdateAfterSetStands(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(s *Session){
		"Set":    set(t, 5),
		"Delete": func(s *Session) { want(t, visits.Delete(s), nil); want(t, visits.Set(s, 5), nil) },
		"Clear":  func(s *Session) { want(t, s.Clear(), nil); want(t, visits.Set(s, 5), nil) },
	} {
		c := newClient(t, newTestManager(t, Options{}))
		c.visit(set(t, 1))
		s := c.arrive()
		first(s)
		increment(s)
		c.with().visit(set(t, 100))
		c.leave(s)
		c.visit(func(s *Session) { equal(t, name+": visits", visits.Get(s), 6) })
	}
}

// What a request does after its own Update holds over another request's value too, even if it looks like no change.
func TestAfterUpdateNothingIsSkipped(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		then   func(s *Session)
		wanted int
	}{
		"Set to the same value":      {func(s *Session) { want(t, visits.Set(s, 6), nil) }, 6},
		"Update to the same value":   {func(s *Session) { visits.Update(s, func(n int) int { return min(n, 10) }) }, 10},
		"Update that changes it":     {func(s *Session) { visits.Update(s, func(n int) int { return n + 1 }) }, 102},
		"Delete":                     {func(s *Session) { want(t, visits.Delete(s), nil) }, 0},
		"Set back to what is stored": {func(s *Session) { want(t, visits.Set(s, 5), nil) }, 5},
	} {
		c := newClient(t, newTestManager(t, Options{}))
		c.visit(set(t, 5))
		s := c.arrive()
		increment(s)
		tc.then(s)
		c.with().visit(set(t, 100))
		c.leave(s)
		c.visit(func(s *Session) { equal(t, name, visits.Get(s), tc.wanted) })
	}
}

// The function of an Update may use the session, when it runs again too.
func TestUpdateMayUseTheSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	s := c.arrive()
	visits.Update(s, func(n int) int {
		want(t, s.load(t.Context()), nil) // as Get does in lazy mode
		_ = s.Subject()
		return n + len(note.Get(s)) + 1
	})
	c.with().visit(set(t, 10))
	finish(t, s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 11) })
}

// finish ends a request, or says that it hangs.
func finish(t *testing.T, s *Session) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := s.finish(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		want(t, err, nil)
	case <-time.After(5 * time.Second):
		t.Fatal("Finish hangs")
	}
}

// R6: two renewals at once. One wins, the other follows it, both browsers' cookies work, and there is one record.
func TestR6ParallelRenewals(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.visit(set(t, 1))
		id := c.id()
		tabs := make([]*client, 4)
		flight := make([]*Session, len(tabs))
		for i := range tabs {
			tabs[i] = c.with()
			flight[i] = tabs[i].arrive()
			want(t, flight[i].Renew(), nil)
			increment(flight[i])
		}
		var group sync.WaitGroup
		for i := range tabs {
			group.Go(func() { tabs[i].leave(flight[i]) })
		}
		group.Wait()
		for _, tab := range tabs {
			equal(t, "secrets agree", tab.ticketOf() == tabs[0].ticketOf(), true)
			equal(t, "secret is the old one", tab.ticketOf() == c.ticketOf(), false)
			equal(t, "id", tab.id(), id)
		}
		// The request that left before the renewal and arrives after it is let in, and told the new secret.
		late := c.with()
		reply := late.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 5) })
		if reply.SetCookie == "" || late.ticketOf() != tabs[0].ticketOf() {
			t.Error("the late request is not told the new secret")
		}
	})
}

// A renewal under way does not save a request that another's login has left outside, and a login ends the grace.
func TestR6LoginEndsTheGrace(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	oldest := c.with()
	c.visit(func(s *Session) { want(t, s.Renew(), nil) })
	equal(t, "within the grace", oldest.arrive().IsNew(), false)
	older := c.with()
	c.visit(func(s *Session) { want(t, s.Renew(), nil); want(t, s.Login("ann"), nil) })
	equal(t, "the secret before last", oldest.arrive().IsNew(), true)
	equal(t, "the last secret", older.arrive().IsNew(), true)
	equal(t, "the secret of now", c.arrive().Subject(), "ann")
	// The grace of an earlier renewal ends too, in the record itself.
	c.visit(func(s *Session) { want(t, s.Renew(), nil) })
	c.visit(func(s *Session) { want(t, s.Login("bob"), nil) })
	equal(t, "line of secrets in the record", len(c.arrive().snap.Identity().History), 0)
}

// A request that holds the previous secret may renew, sign in and write as any other.
func TestWritesUnderThePreviousSecret(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": set(t, 2),
		"renew": func(s *Session) { want(t, s.Renew(), nil) },
		"login": func(s *Session) { want(t, s.Login("ann"), nil) },
		"touch": read,
	} {
		c := newClient(t, newTestManager(t, Options{}))
		c.visit(set(t, 1))
		late := c.with()
		c.visit(func(s *Session) { want(t, s.Renew(), nil) })
		late.visit(handler)
		equal(t, name+": the late one is in", late.arrive().IsNew(), false)
		equal(t, name+": under the id", late.ticketOf().ID, c.ticketOf().ID)
		equal(t, name+": the first one is in", c.arrive().IsNew(), name == "login")
	}
}

func TestRenewKeepsIDAndData(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 1), nil) })
	before := c.ticketOf()
	c.visit(func(s *Session) { want(t, s.Renew(), nil); want(t, s.Renew(), nil) })
	after := c.ticketOf()
	equal(t, "id", after.ID, before.ID)
	equal(t, "the secret stayed", after.Secret == before.Secret, false)
	equal(t, "records", store.records(), 1)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "Subject", s.Subject(), "ann")
	})
	equal(t, "events", kinds(events.after(t, m)), "created login loaded committed renewed loaded")
}

// R8: the store fails during logout. The client sees a failure and is still signed in, and trying again works.
func TestR8StoreFailsDuringLogout(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	store.fail("delete", errDown)
	s := c.arrive()
	s.Destroy()
	want(t, note.Set(s, "goodbye"), nil)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	equal(t, "status", StatusCode(err), 503)
	nothing(t, "reply", reply)
	equal(t, "records", store.records(), 1)
	store.hook(nil)
	c.visit(func(s *Session) { equal(t, "Subject", s.Subject(), "ann") })
	c.visit((*Session).Destroy)
	equal(t, "records", store.records(), 0)
	all := events.after(t, m)
	equal(t, "failure told", has(all, EventStoreFailed), true)
	equal(t, "destroyed told", has(all, EventDestroyed), true)
}

// A destroyed session is deleted even if something else of the request has gone wrong.
func TestDestroyDespiteALateUpdate(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	s := c.arrive()
	c.leave(s)
	s.Destroy()
	increment(s) // would need a new session and its cookie
	_, err := s.finish(t.Context())
	want(t, err, ErrLate)
	equal(t, "records", store.records(), 0)
}

// Destroy may come from another goroutine of the request while a commit is under way.
func TestDestroyDuringACommit(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"create": false, "replace": true} {
		for _, again := range []bool{false, true} {
			store := newSpy()
			c := newClient(t, newTestManager(t, Options{Store: store}))
			if stored {
				c.visit(set(t, 1))
			}
			s := c.arrive()
			increment(s)
			store.once(func() {
				s.Destroy()
				if again {
					want(t, note.Set(s, "afterwards"), nil)
				}
			})
			reply, err := s.finish(t.Context())
			want(t, err, nil)
			c.keep(reply)
			_, err = s.finish(t.Context()) // as adapters do when the handler has returned
			if again && err != nil {
				want(t, err, ErrLate)
			}
			// Whatever is left in the store must be what the cookie opens.
			left := 0
			if c.cookie != "" && !c.arrive().IsNew() {
				left = 1
				equal(t, name+": visits", visits.Get(c.arrive()), 0)
			}
			equal(t, name+": records", store.records(), left)
		}
	}
}

// A response that tells the browser it is signed out must be true when it goes out.
func TestRemovalCookieOnlyAfterTheDelete(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	s := c.arrive()
	increment(s)
	store.once(s.Destroy)
	reply, err := s.finish(t.Context())
	want(t, err, nil)
	if strings.Contains(reply.SetCookie, gone) && store.records() > 0 {
		t.Error("the browser is told that the session has ended, and it has not")
	}
}

// O2: no cookie for a record that does not exist, whatever goes wrong with the save; and the next attempt works.
func TestO2SaveFails(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	store.fail("save", errDown)
	s := c.arrive()
	increment(s)
	reply, err := s.commit(t.Context())
	want(t, err, ErrStore)
	want(t, err, errDown)
	nothing(t, "reply", reply)
	equal(t, "status", StatusCode(err), 503)
	store.hook(nil)
	c.leave(s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })

	// A change of secret that was not saved is not announced either.
	before := c.ticketOf()
	for name, change := range map[string]func(*Session) error{
		"Renew": (*Session).Renew, "Login": func(s *Session) error { return s.Login("ann") },
	} {
		store.fail("save", errDown)
		s = c.arrive()
		want(t, change(s), nil)
		reply, err = s.finish(t.Context())
		want(t, err, ErrStore)
		nothing(t, name, reply)
		store.hook(nil)
		equal(t, name+": visits under the old secret", visits.Get(c.arrive()), 1)
	}
	equal(t, "ticket", c.ticketOf() == before, true)
}

// A store that says a new record is gone talks nonsense, and must not make the visitor's data vanish without an error.
func TestO2CreateAnsweredWithNotFound(t *testing.T) {
	t.Parallel()
	store := newSpy()
	store.fail("save", ErrNotFound)
	s := newClient(t, newTestManager(t, Options{Store: store})).arrive()
	increment(s)
	reply, err := s.finish(t.Context())
	want(t, err, ErrStore)
	nothing(t, "reply", reply)
}

// A failed save gives its changes back, and what came meanwhile goes on top of them.
func TestFailedSaveKeepsTheChanges(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(func(s *Session) {
		want(t, s.Set("one", 1), nil)
		want(t, s.Set("two", 2), nil)
		want(t, visits.Set(s, 10), nil)
		want(t, note.Set(s, "x"), nil)
	})
	for name, tc := range map[string]struct {
		before, during func(s *Session)
		wanted         string
	}{
		"set, then another":     {set(t, 20), func(s *Session) { want(t, s.Set("one", 5), nil) }, "note=x one=5 two=2 visits=20"},
		"set, then set":         {set(t, 20), set(t, 30), "note=x one=1 two=2 visits=30"},
		"set, then update":      {set(t, 20), increment, "note=x one=1 two=2 visits=21"},
		"update, then update":   {increment, increment, "note=x one=1 two=2 visits=102"},
		"update, then set":      {increment, set(t, 30), "note=x one=1 two=2 visits=30"},
		"update, then same set": {increment, set(t, 11), "note=x one=1 two=2 visits=11"},
		"update, then same":     {increment, func(s *Session) { visits.Update(s, func(n int) int { return min(n, 50) }) }, "note=x one=1 two=2 visits=50"},
		"nothing, then update":  {func(s *Session) { want(t, s.Set("one", 7), nil) }, increment, "note=x one=7 two=2 visits=101"},
		"set, then clear":       {set(t, 20), func(s *Session) { want(t, s.Clear(), nil) }, ""},
		"clear, then update":    {func(s *Session) { want(t, s.Clear(), nil) }, increment, "visits=1"},
		"delete, then update":   {func(s *Session) { want(t, visits.Delete(s), nil) }, increment, "note=x one=1 two=2 visits=1"},
		"update, then delete":   {increment, func(s *Session) { want(t, visits.Delete(s), nil) }, "note=x one=1 two=2"},
		"renew, then set":       {func(s *Session) { want(t, s.Renew(), nil) }, set(t, 30), "note=x one=1 two=2 visits=30"},
	} {
		mine := newClient(t, c.m)
		mine.visit(func(s *Session) {
			want(t, s.Set("one", 1), nil)
			want(t, s.Set("two", 2), nil)
			want(t, visits.Set(s, 10), nil)
			want(t, note.Set(s, "x"), nil)
		})
		s := mine.arrive()
		tc.before(s)
		store.hook(func(_ context.Context, op, _ string) error {
			if op != "save" {
				return nil
			}
			store.hook(nil)
			tc.during(s)
			return errDown
		})
		want(t, s.Save(t.Context()), ErrStore)
		mine.with().visit(set(t, 100)) // so that what is given back is merged, too
		mine.leave(s)
		equal(t, name, contents(mine.arrive()), tc.wanted)
	}
}

// contents returns the session's values as text.
func contents(s *Session) string {
	var out []string
	for _, k := range s.Keys() {
		out = append(out, fmt.Sprintf("%s=%v", k, Key[any](k).Get(s)))
	}
	return strings.Join(out, " ")
}

// What goroutines of the request change while a save is under way is theirs for the next save, on top of the first.
func TestChangesDuringASave(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 10))
	s := c.arrive()
	increment(s)
	store.once(func() {
		equal(t, "visits while it is saved", visits.Get(s), 11)
		increment(s)
		want(t, note.Set(s, "during"), nil)
		equal(t, "Keys while it is saved", strings.Join(s.Keys(), ","), "note,visits")
	})
	want(t, s.Save(t.Context()), nil)
	equal(t, "visits in the store", visits.Get(c.with().arrive()), 11)
	equal(t, "visits in the session", visits.Get(s), 12)
	c.leave(s)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 12)
		equal(t, "note", note.Get(s), "during")
	})
}

// The same where the save under way has to merge: what was worked out meanwhile is worked out again.
func TestChangesDuringAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 10))
	other := c.with()
	s := c.arrive()
	increment(s)
	store.once(func() {
		increment(s)
		other.visit(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	c.leave(s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 102) })
}

// And the save after a merge, during which more is changed: that too is worked out over what is stored.
func TestChangesDuringTheSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 10))
	other := c.with()
	s := c.arrive()
	increment(s)
	store.once(func() {
		increment(s)
		other.visit(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	store.once(func() { increment(s) })
	want(t, s.Save(t.Context()), nil)
	store.hook(nil)
	c.leave(s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 103) })
}

// The same where the save after the merge fails at first.
func TestFailedSaveAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 10))
	other := c.with()
	s := c.arrive()
	increment(s)
	store.once(func() {
		increment(s)
		other.visit(set(t, 100))
	})
	want(t, s.Save(t.Context()), nil)
	store.fail("save", errDown)
	want(t, s.Save(t.Context()), ErrStore)
	store.hook(nil)
	c.leave(s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 102) })
}

// However they interleave, two goroutines of a request and another request end in the sum of all.
func TestRandomInterleavings(t *testing.T) {
	t.Parallel()
	for range 50 {
		store := newSpy()
		m := newTestManager(t, Options{Store: store, StoreTimeout: time.Minute})
		c := newClient(t, m)
		c.visit(set(t, 0))
		s, other := c.arrive(), c.with()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for range 5 {
					increment(s)
					want(t, s.Save(t.Context()), nil)
				}
			})
		}
		group.Go(func() {
			for range 5 {
				other.visit(increment)
			}
		})
		group.Wait()
		c.leave(s)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 15) })
	}
}

func TestO1LoadError(t *testing.T) {
	t.Parallel()
	store := newSpy()
	var events recorder
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.visit(set(t, 1))
	store.fail("load", errDown)
	s := attach(m, c.cookie)
	err := s.load(t.Context())
	want(t, err, ErrStore)
	want(t, err, errDown)
	equal(t, "status", StatusCode(err), 503)
	equal(t, "event", has(events.after(t, m), EventStoreFailed), true)
}

// A store that answers while the time is up is an outage like any other; it ends with the deadline, not with the store.
func TestO5SlowStore(t *testing.T) {
	t.Parallel()
	inBubbleWith(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, StoreTimeout: 2 * time.Second})
		c := newClient(t, m)
		c.visit(set(t, 1))
		ready := c.arrive()
		increment(ready)
		store.hook(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		s := attach(m, c.cookie)
		err := s.load(t.Context())
		want(t, err, ErrStore)
		want(t, err, context.DeadlineExceeded)
		equal(t, "a load takes", time.Since(start), 2*time.Second)
		start = time.Now()
		_, err = ready.finish(t.Context())
		want(t, err, ErrStore)
		equal(t, "a commit takes", time.Since(start), 2*time.Second)
	})
}

// O4: a client that has hung up does not lose the save, and the values of its request's context still reach the store.
func TestO4Disconnect(t *testing.T) {
	t.Parallel()
	type traceKey struct{}
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "trace"))
	s := c.arrive()
	cancel()
	store.hook(func(ctx context.Context, op, _ string) error {
		if op == "save" {
			equal(t, "trace", ctx.Value(traceKey{}), any("trace"))
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("the save has no deadline")
			}
		}
		return ctx.Err()
	})
	increment(s)
	_, err := s.finish(ctx)
	want(t, err, nil)
	store.hook(nil)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

// A load whose client has hung up is an error to the request, and not one to wake the operator for.
func TestO4DisconnectDuringLoad(t *testing.T) {
	t.Parallel()
	log, out := debugLog()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Logger: log})
	c := newClient(t, m)
	c.visit(set(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	store.hook(func(ctx context.Context, _, _ string) error { return ctx.Err() })
	s := attach(m, c.cookie)
	want(t, s.load(ctx), ErrStore)
	if !strings.Contains(out.String(), `"level":"DEBUG"`) || strings.Contains(out.String(), `"level":"ERROR"`) {
		t.Errorf("the log says %s", out)
	}
}

func TestLateChanges(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	// To an existing session they are still saved, by the Finish after the handler.
	c := newClient(t, m)
	c.visit(set(t, 1))
	s := c.arrive()
	c.leave(s)
	increment(s)
	want(t, note.Set(s, "late"), nil)
	want(t, s.Renew(), ErrLate)
	want(t, s.Login("ann"), ErrLate)
	want(t, s.SetExpiry(time.Hour), ErrLate)
	reply, err := s.finish(t.Context())
	want(t, err, nil)
	nothing(t, "second Finish", reply)
	c.visit(func(s *Session) {
		equal(t, "visits", visits.Get(s), 2)
		equal(t, "note", note.Get(s), "late")
	})
	// One that would need a cookie is refused, and nothing is stored.
	store.forget()
	for _, end := range []func(s *Session){
		func(s *Session) { newClient(t, m).leave(s) },
		(*Session).seal,
	} {
		s = newClient(t, m).arrive()
		end(s)
		want(t, visits.Set(s, 1), ErrLate)
		want(t, s.Login("ann"), ErrLate)
		want(t, s.Save(t.Context()), nil) // there is nothing to save
		increment(s)
		want(t, s.Save(t.Context()), ErrLate) // Update has no other way to say it
	}
	equal(t, "calls", store.count(""), 0)
	equal(t, "event", has(events.after(t, m), EventLate), true)
}

// What was accepted before the response began and is not saved yet when it does is refused as well, not stored for nobody.
func TestSealAfterSet(t *testing.T) {
	t.Parallel()
	store := newSpy()
	s := newClient(t, newTestManager(t, Options{Store: store})).arrive()
	want(t, visits.Set(s, 1), nil)
	s.seal()
	reply, err := s.finish(t.Context())
	want(t, err, ErrLate)
	nothing(t, "reply", reply)
	equal(t, "calls", store.count(""), 0)
}

// Save by one goroutine while the response begins in another: a new session's cookie goes out, or there is no session.
func TestNoRecordWithoutItsCookie(t *testing.T) {
	t.Parallel()
	for range 500 {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		s := c.arrive()
		var group sync.WaitGroup
		group.Go(func() {
			_ = visits.Set(s, 1)
			_ = s.Save(t.Context())
		})
		reply, err := s.finish(t.Context())
		group.Wait()
		if err != nil {
			want(t, err, ErrLate)
		}
		if store.records() == 1 && reply.SetCookie == "" {
			t.Fatal("a record that no cookie can reach")
		}
	}
}

func TestSaveTwiceSetsTheCookieOnce(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.arrive()
	increment(s)
	want(t, s.Save(t.Context()), nil)
	increment(s)
	want(t, s.Save(t.Context()), nil)
	want(t, s.Save(t.Context()), nil)
	equal(t, "saves", store.count("save"), 2)
	early, err := s.commit(t.Context())
	want(t, err, nil)
	if early.SetCookie == "" {
		t.Error("no cookie")
	}
	c.keep(early)
	equal(t, "Set-Cookie again", c.leave(s).SetCookie, "")
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

func TestSaveSaysThatTheSessionIsGone(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	s := c.arrive()
	c.leave(s)
	c.with().visit((*Session).Destroy)
	want(t, s.Save(t.Context()), nil) // nothing to save, nothing to learn
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
	reply, err := s.commit(t.Context())
	nothing(t, "Commit", reply)
	if err != nil {
		want(t, err, ErrGone)
	}
	// An update that is dropped is told each time: Update has no error to return.
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
	want(t, visits.Set(s, 5), ErrGone)
}

// A store under which every save meets another: the save gives up, says so, and loses nothing but the attempt.
func TestEndlessConflicts(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Hour}))
	c.visit(set(t, 1))
	store.forget()
	store.fail("save", ErrConflict)
	s := c.arrive()
	increment(s)
	_, err := s.finish(t.Context())
	want(t, err, ErrConflict)
	equal(t, "status", StatusCode(err), 503)
	equal(t, "saves", store.count("save"), saveAttempts)
	store.hook(nil)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1) })
}

// Another process writes before each of the first attempts, and then whenever this one pauses. Whoever goes on after a pause
// from what was stored before it loses each time, until it gives up.
func TestPauseMakesOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Hour}))
		c.visit(set(t, 1))
		rival := newClient(t, newTestManager(t, Options{Store: store.store}))
		rival.cookie = c.cookie
		s := c.arrive()
		increment(s)
		store.forget()
		last, others := time.Now(), 0
		store.hook(func(_ context.Context, op, _ string) error {
			if paused := time.Now().After(last); paused || op == "save" && store.count("save") <= 4 {
				rival.visit(increment) //nolint:contextcheck // another request, with a context of its own
				others++
			}
			last = time.Now()
			return nil
		})
		c.leave(s)
		equal(t, "saves", store.count("save"), 5)
		store.hook(nil)
		c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 1+others+1) })
	})
}

// The store fails in the middle of a merge: an error, never a session that has ended.
func TestOutageDuringAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.visit(set(t, 1))
	s := c.arrive()
	increment(s)
	store.hook(func(_ context.Context, op, _ string) error {
		if op == "save" {
			return ErrConflict // and no record with it, so the manager has to load
		}
		return errDown
	})
	want(t, s.Save(t.Context()), ErrStore)
	store.hook(nil)
	c.leave(s)
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

// A size that only the merge exceeds is an error that leaves what the other request stored.
func TestMergeBeyondTheSizeCap(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{MaxSize: 1000}))
	c.visit(set(t, 1))
	s := c.arrive()
	want(t, s.Set("mine", strings.Repeat("x", 500)), nil)
	c.with().visit(func(s *Session) { want(t, s.Set("other", strings.Repeat("x", 500)), nil) })
	want(t, s.Save(t.Context()), ErrTooLarge)
	equal(t, "Keys", strings.Join(c.arrive().Keys(), ","), "other,visits")
}

func TestStatusCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err    error
		wanted int
	}{
		{ErrStore, 503},
		{ErrFull, 503},
		{ErrConflict, 503},
		{wrapStoreError("load", errDown), 503},
		{fmt.Errorf("x: %w", ErrFull), 503},
		{ErrTooLarge, 500},
		{ErrGone, 500},
		{ErrLate, 500},
		{errDown, 500},
		{nil, 500},
	} {
		equal(t, fmt.Sprint(tc.err), StatusCode(tc.err), tc.wanted)
	}
}

func TestLostLateChangeIsReported(t *testing.T) {
	t.Parallel()
	seen := make(chan Event, 16)
	m, err := NewManager(Options{
		MaxSize: 300,
		OnEvent: func(e Event) {
			if e.Kind == EventLost {
				seen <- e
			}
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := attach(m)
	ok := errors.Join(s.load(t.Context()), s.Set("first", 1))
	_, err = s.finish(t.Context())
	if err = errors.Join(ok, err); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Set(strconv.Itoa(i), strings.Repeat("x", 80)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.finish(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("late Finish = %v, want ErrTooLarge", err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := <-seen; e.SessionID != s.ID() || !errors.Is(e.Err, ErrTooLarge) {
		t.Errorf("event %+v, want the session's id and ErrTooLarge: a late change that is lost has to reach the operator", e)
	}
}

// TestR6LateRenewal shows that a request under the previous secret follows the renewal, whether it meets it at its load
// or at its save: a renewal of its own would shut out the requests that were sent with the same cookie.
func TestR6LateRenewal(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Store: newSpy()})
	c := newClient(t, m)
	c.visit(set(t, 7))
	second, third := c.with(), c.with()
	renew := func(s *Session) { want(t, s.Renew(), nil) }
	c.visit(renew)
	second.visit(renew)
	for name, browser := range map[string]*client{"renewed": c, "followed": second, "sent before": third} {
		browser.visit(func(s *Session) { equal(t, "visits of the one that "+name, visits.Get(s), 7) })
	}
}

// TestEqualValueAfterAMerge shows that a merge does not make every later write of the request a change.
func TestEqualValueAfterAMerge(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.visit(set(t, 1))
	s := c.arrive()
	increment(s)
	c.with().visit(increment)
	want(t, s.Save(t.Context()), nil)
	store.forget()
	set(t, 3)(s)
	want(t, s.Save(t.Context()), nil)
	equal(t, "saves of an equal value", store.count("save"), 0)
}
