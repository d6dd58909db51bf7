package core

import (
	"context"
	"testing"
)

// Several logins of one subject lose to that of another. The first of them starts a session of its
// own, and what it has saved there stays when the others join.
func TestOwnSessionKeepsWhatItHolds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(func(s *Session) {
			want(t, visits.Set(s, 1), nil)
			want(t, note.Set(s, "before"), nil)
		})
		first, second, third := c.load(), c.load(), c.load()
		ann := c.clone()
		ann.request(func(s *Session) { want(t, s.Login("ann"), nil) })
		increment(first)
		want(t, note.Set(first, "after"), nil)
		want(t, first.Login("bob"), nil)
		a := c.clone()
		a.respond(first)
		increment(second)
		want(t, second.Login("bob"), nil)
		b := c.clone()
		b.respond(second)
		want(t, third.Login("bob"), nil)
		c.respond(third)
		for name, one := range map[string]*client{"first": a, "second": b, "third": c} {
			equal(t, name+" has the id of the first", one.id(), first.ID())
			equal(t, "values of the "+name, contents(one.load()), "note=after visits=3")
		}
		equal(t, "values of the winner", contents(ann.load()), "note=before visits=1")
	})
}

// An update that goes into a session of its own is computed from what that holds, and not from the
// values of another subject.
func TestOwnSessionUpdatesWhatItHolds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(func(s *Session) { want(t, s.Login("ann"), nil); want(t, visits.Set(s, 7), nil) })
		s := c.load()
		c.clone().request((*Session).Destroy)
		increment(s)
		want(t, s.Login("bob"), nil)
		c.respond(s)
		equal(t, "values", contents(c.load()), "visits=1")
	})
}

// Another request has saved between the load of a visitor and the login that it has lost to. The
// session of its own holds what it had loaded, and not a mixture with what it was merged with.
func TestOwnSessionIsNoMixture(t *testing.T) {
	t.Parallel()
	spy := newSpy()
	m := newTestManager(t, Options{Store: spy})
	c := newClient(t, m)
	c.request(increment)
	s, ann := c.load(), c.clone()
	ann.m = newTestManager(t, Options{Store: spy}) // another process
	c.clone().request(func(s *Session) { increment(s); want(t, note.Set(s, "other"), nil) })
	increment(s)
	want(t, s.Login("bob"), nil)
	saves := 0
	spy.onCall(func(_ context.Context, op, _ string) error {
		if op == "save" {
			if saves++; saves == 2 {
				spy.onCall(nil)
				ann.request(func(s *Session) { want(t, s.Login("ann"), nil) }) //nolint:contextcheck // It is another request.
			}
		}
		return nil
	})
	c.respond(s)
	equal(t, "values", contents(c.load()), "visits=2")
}

// A value that must be spent once stays in the session from which a login was overtaken.
func TestOwnSessionTakesNothing(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(func(s *Session) { want(t, note.Set(s, "state"), nil); want(t, visits.Set(s, 1), nil) })
	s := c.load()
	ann := c.clone()
	ann.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	want(t, s.Login("bob"), nil)
	_, ok, err := note.TakeOnce(t.Context(), s)
	want(t, err, nil)
	equal(t, "taken", ok, false)
	c.respond(s)
	equal(t, "values of its own", contents(c.load()), "visits=1")
	ann.request(func(s *Session) {
		v, ok, err := note.TakeOnce(t.Context(), s)
		want(t, err, nil)
		equal(t, "the winner takes", ok && v == "state", true)
	})
}

// A login that was overtaken before its request began joins the session, and its updates are
// computed from what the session holds.
func TestJoinUpdatesWhatTheSessionHolds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(increment)
		late := c.clone()
		c.request(signInAs(t, "ann"))
		c.request(increment)
		late.request(func(s *Session) { want(t, s.Login("ann"), nil); increment(s) })
		equal(t, "values", contents(late.load()), "visits=3")
	})
}

// The session of its own that a login joins may share the lock of the session that it was
// overtaken in.
func TestOwnSessionSharesTheLock(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(increment)
		tk := c.ticket()
		bob := "bob"
		for n := 0; ownID(tk, bob)[15]%64 != tk.ID[15]%64; n++ {
			bob = "bob " + sprint(n)
		}
		first, second := c.load(), c.load()
		c.clone().request(signInAs(t, "ann"))
		want(t, first.Login(bob), nil)
		want(t, second.Login(bob), nil)
		c.clone().respond(first)
		c.respond(second)
		equal(t, "subject", c.load().Subject(), bob)
		equal(t, "id", c.id(), first.ID())
	})
}
