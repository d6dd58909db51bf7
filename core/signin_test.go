package core

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// signIn signs ann in with a password.
func signIn(s *Session, how SignIn) error {
	how.Auth.Methods = []string{"pwd"}
	return s.SignIn(context.Background(), "ann", how)
}

// wantAnn fails the test unless ann is signed in by the client's cookie, with these values.
func wantAnn(tb testing.TB, what string, c *client, values string) {
	tb.Helper()
	s := c.load()
	equal(tb, what+": subject", s.Subject(), "ann")
	equal(tb, what+": values", contents(s), values)
	wantAuth(tb, what, s.Auth(), 0, "pwd")
}

// SignIn says who has signed in, how long the session and its cookie last, and what is left of
// the values.
func TestSignIn(t *testing.T) {
	t.Parallel()
	bob := func(s *Session) { signInAs(t, "bob")(s); set(t, 1)(s) }
	for name, tc := range map[string]struct {
		before func(s *Session)
		how    SignIn
		values string
		expiry time.Duration
		cookie string // part of it
	}{
		"new":             {before: func(*Session) {}, expiry: DefaultExpiry},
		"anonymous":       {before: set(t, 1), values: "visits=1", expiry: DefaultExpiry},
		"remembered":      {before: set(t, 1), how: SignIn{Remember: true}, values: "visits=1", expiry: DefaultExpiry, cookie: "Max-Age=2592000"},
		"for an hour":     {before: set(t, 1), how: SignIn{Remember: true, Expiry: time.Hour}, values: "visits=1", expiry: time.Hour, cookie: "Max-Age=3600"},
		"ann again":       {before: func(s *Session) { want(t, signIn(s, SignIn{Expiry: time.Hour}), nil); set(t, 1)(s) }, values: "visits=1", expiry: DefaultExpiry},
		"bob":             {before: bob, expiry: DefaultExpiry},
		"bob, kept":       {before: bob, how: SignIn{KeepValues: true}, values: "visits=1", expiry: DefaultExpiry},
		"bob for an hour": {before: func(s *Session) { bob(s); want(t, s.SetExpiry(time.Hour), nil) }, expiry: DefaultExpiry},
	} {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(tc.before)
		former := c.clone()
		reply := c.request(func(s *Session) {
			want(t, signIn(s, tc.how), nil)
			equal(t, name+": subject at once", s.Subject(), "ann")
			equal(t, name+": subject in the store", storedSubject(t, store, s.ID()), "ann")
		})
		wantAnn(t, name, c, tc.values)
		equal(t, name+": cookie ends with the browser", strings.Contains(reply.SetCookie, "Max-Age"), tc.cookie != "")
		equal(t, name+": cookie", strings.Contains(reply.SetCookie, tc.cookie), true)
		s := c.load()
		equal(t, name+": idle timeout", s.Expires().Sub(s.LastSeen()), tc.expiry)
		wantRecords(t, name, store, 1, 0)
		equal(t, name+": the secret is another", former.cookie == c.cookie, false)
	}
}

func storedSubject(tb testing.TB, store *spy, id string) string {
	tb.Helper()
	snap, err := decodeRecord(store.stored(tb, "session:"+id))
	want(tb, err, nil)
	return snap.Subject()
}

// A double click on "sign in" leaves one session, which the cookies of both responses open, with
// what the visitor had. It does not matter whether the second request began before the first was
// saved.
func TestSignInTwice(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){
		"anonymous": set(t, 1), "bob": func(s *Session) { signInAs(t, "bob")(s); want(t, note.Set(s, "bob's"), nil) },
	} {
		values := map[string]string{"anonymous": "visits=1", "bob": ""}[name]
		kept := map[string]string{"anonymous": "visits=2", "bob": "visits=1"}[name] // one more
		for _, late := range []bool{false, true} {
			for _, limit := range []int{0, 1} {
				eachIndexedInBubble(t, func(t *testing.T, store Store) {
					t.Helper()
					o := Options{Store: store, MaxSessions: limit}
					if limit != 0 {
						o.OnLimit = RefuseLogin
					}
					m := newTestManager(t, o)
					c := newClient(t, m)
					c.request(before)
					id, first, second := c.id(), c.clone(), c.clone()
					s := second.load()
					first.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil) })
					if late { // The ticket is overtaken when the request begins.
						s = second.load()
						_, overtaken := s.Overtaken()
						equal(t, name+": overtaken", overtaken, true)
					}
					want(t, signIn(s, SignIn{}), nil)
					equal(t, name+": subject of the second", s.Subject(), "ann")
					second.respond(s)
					equal(t, name+": cookies are the same", first.cookie == second.cookie, false)
					equal(t, name+": sessions", liveSessions(t, m), 1)
					for _, c := range []*client{first, second} {
						wantAnn(t, name, c, values)
						equal(t, name+": id", c.id(), id)
					}
					// The one that the browser keeps stays, and the other dies after the grace.
					second.request(increment)
					time.Sleep(DefaultGrace)
					wantAnn(t, name+", kept", second, kept)
					equal(t, name+": the other is overtaken", first.load().Subject(), "")
				})
			}
		}
	}
}

// First visits without any cookie cannot be joined, but of several submits from one session each
// succeeds and all share it.
func TestSignInInParallel(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, StoreTimeout: time.Minute})
		c := newClient(t, m)
		c.request(set(t, 1))
		id, tabs := c.id(), make([]*client, 8)
		var group sync.WaitGroup
		for i := range tabs {
			tabs[i] = c.clone()
			s := tabs[i].load()
			group.Go(func() {
				want(t, signIn(s, SignIn{}), nil)
				tabs[i].respond(s)
			})
		}
		group.Wait()
		for _, c := range tabs {
			wantAnn(t, "each", c, "visits=1")
			equal(t, "id", c.id(), id)
		}
	})
}

// A double click on "confirm" signs nobody out.
func TestConfirmTwice(t *testing.T) {
	t.Parallel()
	otp := Auth{Methods: []string{"otp"}, Level: 2}
	for _, late := range []bool{false, true} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newClient(t, newTestManager(t, Options{Store: store}))
			c.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil); set(t, 1)(s) })
			time.Sleep(time.Hour)
			first, second, former := c.clone(), c.clone(), c.clone()
			s := second.load()
			first.request(func(s *Session) { want(t, s.Confirm(t.Context(), otp), nil) })
			if late {
				s = second.load()
				equal(t, "fresh before", s.Fresh(time.Minute), false)
			}
			want(t, s.Confirm(t.Context(), otp), nil)
			second.respond(s)
			wantAuth(t, "former", former.load().Auth(), 0, "pwd")
			for _, c := range []*client{first, second} {
				s := c.load()
				equal(t, "subject", s.Subject(), "ann")
				equal(t, "values", contents(s), "visits=1")
				wantAuth(t, "confirmed", s.Auth(), 2, "pwd", "otp")
				equal(t, "fresh", s.Fresh(time.Minute), true)
			}
			second.request(read)
			equal(t, "former, after the delivery", former.load().Subject(), "")
		})
	}
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) { want(t, s.Confirm(t.Context(), otp), ErrAnonymous) })
	c.respond(c.load())
	equal(t, "cookie of a visitor", c.cookie, "")
}

// A sign-in whose session is revoked meanwhile is refused with 409, also by the middleware's commit.
// If the user signed out meanwhile, it starts a session.
func TestSignInEndedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end func(m *Manager, c *client)
		err error
	}{
		"revoked":    {func(m *Manager, c *client) { want(t, m.RevokeByID(t.Context(), c.id()), nil) }, ErrGone},
		"all":        {func(m *Manager, _ *client) { _, err := m.RevokeAll(t.Context(), "ann"); want(t, err, nil) }, ErrGone},
		"signed out": {func(_ *Manager, c *client) { c.clone().request((*Session).Destroy) }, nil},
	} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil) })
		old, stale := c.id(), c.clone()
		s := c.load()
		tc.end(m, c)
		err := signIn(s, SignIn{})
		want(t, err, tc.err)
		reply := c.respond(s)
		if tc.err == nil {
			wantAnn(t, name, c, "")
			equal(t, name+": id is the old one", c.id() == old, false)
			continue
		}
		equal(t, name+": status", StatusCode(err), 409)
		equal(t, name+": cookie", reply.SetCookie, "")
		equal(t, name+": subject", stale.load().Subject(), "")
		wantRecords(t, name, store.spy, 0, 1)
		// Who signs in after the revocation may do so.
		stale.request(func(s *Session) { want(t, signIn(s, SignIn{}), nil) })
		wantAnn(t, name+", afterwards", stale, "")
	}
}

// If a sign-in fails, nobody is signed in, neither by it nor by the middleware's commit, nothing is
// stored, and the session is as it was before.
func TestSignInThatFails(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){
		"new": func(*Session) {}, "anonymous": set(t, 1),
		"bob": func(s *Session) { signInAs(t, "bob")(s); set(t, 1)(s) },
	} {
		for _, tc := range []struct {
			what string
			fail func(store fullSpy)
			how  SignIn
			user string
			err  error
		}{
			{"store down", func(store fullSpy) { store.failOn("save", errDown) }, SignIn{}, "ann", ErrStore},
			{"all calls fail", func(store fullSpy) {
				store.onCall(func(context.Context, string, string) error { return errDown })
			}, SignIn{}, "ann", ErrStore},
			{"limit", func(fullSpy) {}, SignIn{}, "carol", ErrLimit},
			{"expiry", func(fullSpy) {}, SignIn{Expiry: time.Millisecond}, "ann", nil},
			{"level", func(fullSpy) {}, SignIn{Auth: Auth{Level: 256}}, "ann", nil},
			{"subject", func(fullSpy) {}, SignIn{}, "", nil},
		} {
			what := name + ", " + tc.what
			store := newFullSpy()
			m := newTestManager(t, Options{Store: store, MaxSessions: 1, OnLimit: RefuseLogin})
			newSignedIn(t, m, "carol")
			c := newClient(t, m)
			c.request(before)
			s := c.load()
			id, subject, values, records := c.id(), s.Subject(), contents(s), store.recordCount()
			tc.fail(store)
			err := s.SignIn(t.Context(), tc.user, tc.how)
			if err == nil || tc.err != nil && !errors.Is(err, tc.err) {
				t.Errorf("%s: error is %v, want %v", what, err, tc.err)
			}
			store.onCall(nil)
			equal(t, what+": subject of the request", s.Subject(), subject)
			equal(t, what+": values of the request", contents(s), values)
			equal(t, what+": cookie", c.respond(s).SetCookie, "")
			equal(t, what+": id", c.id(), id)
			equal(t, what+": subject", c.load().Subject(), subject)
			equal(t, what+": values", contents(c.load()), values)
			equal(t, what+": records", store.recordCount(), records)
		}
	}
}

// SignIn after the response has begun is too late, and starts nothing.
func TestSignInTooLate(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.load()
	c.respond(s)
	want(t, signIn(s, SignIn{}), ErrLate)
	want(t, s.Confirm(t.Context(), Auth{}), ErrLate)
	equal(t, "calls", store.count(""), 0)
}

// If only the reply of the store is lost, the subject is signed in, by the cookie that is sent.
func TestSignInWhoseReplyIsLost(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){"new": func(*Session) {}, "anonymous": set(t, 1)} {
		store := newFullSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		c.request(before)
		s := c.load()
		loseSaveAnswer(store)
		want(t, signIn(s, SignIn{}), nil)
		store.onCall(nil)
		c.respond(s)
		equal(t, name+": subject", c.load().Subject(), "ann")
		wantRecords(t, name, store.spy, 1, 0)
	}
}
