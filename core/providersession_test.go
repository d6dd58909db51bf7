package core

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// signInFrom returns a handler that signs ann in with a session of the identity provider.
func signInFrom(tb testing.TB, provider string) func(*Session) {
	tb.Helper()
	return func(s *Session) { want(tb, signIn(s, fromProvider(provider)), nil) }
}

func fromProvider(session string) SignIn {
	return SignIn{Auth: Auth{ProviderSession: session}}
}

// revokeProvider ends the sessions of a provider's session and checks how many they are.
func revokeProvider(tb testing.TB, m *Manager, session string, wanted int) {
	tb.Helper()
	n, err := m.RevokeProviderSession(tb.Context(), session)
	want(tb, err, nil)
	equal(tb, "sessions ended with "+session, n, wanted)
}

// The end of a provider's session ends those whose logins have named it, and no others, on every
// store and on every server.
func TestRevokeProviderSession(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m, other := newTestManager(t, Options{Store: store}), newTestManager(t, Options{Store: store})
		first, second := newClient(t, m), newClient(t, other)
		elsewhere, without := newClient(t, m), newClient(t, m)
		first.request(signInFrom(t, "sid 1"))
		second.request(signInFrom(t, "sid 1"))
		elsewhere.request(signInFrom(t, "sid 2"))
		without.request(signInAs(t, "ann"))
		equal(t, "session named", first.load().Auth().ProviderSession, "sid 1")
		equal(t, "session in a list", first.info().Auth.ProviderSession, "sid 1")
		running := first.load()

		revokeProvider(t, m, "sid 1", 2)
		wantShutOut(t, "first", first.load(), ReasonProvider)
		wantShutOut(t, "second", second.load(), ReasonProvider)
		want(t, note.Set(running, "late"), nil)
		want(t, running.Save(t.Context()), ErrGone)
		equal(t, "others", elsewhere.load().Subject()+without.load().Subject(), "annann")
		revokeProvider(t, m, "sid 1", 0)
		revokeProvider(t, m, "unknown", 0)
		_, err := m.RevokeProviderSession(t.Context(), "")
		want(t, err, errNoProviderSession)
		err = elsewhere.load().LoginWith("ann", Auth{ProviderSession: strings.Repeat("x", 513)})
		if err == nil {
			t.Error("a provider's session of 513 bytes is accepted")
		}
	})
}

// A logout that arrives before the commit of the login refuses it, for as long as the login may
// refer to the provider's session.
func TestRevokeProviderSessionBeforeTheLogin(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(s *Session){
		"no cookie": nil, "a visitor": set(t, 1), "another user": signInAs(t, "bob"),
		"the user": signInAs(t, "ann"),
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Lifetime: 48 * time.Hour})
			c := newClient(t, m)
			if before != nil {
				c.request(before)
			}
			s := c.load()
			revokeProvider(t, newTestManager(t, Options{Store: store, Lifetime: 48 * time.Hour}), "sid", 0)
			want(t, signIn(s, fromProvider("sid")), ErrGone)
			r, _ := s.finish(t.Context())
			equal(t, name+": cookie", r.SetCookie, "")
			equal(t, name+": sessions", liveSessions(t, m), 0)
			time.Sleep(48 * time.Hour)
			want(t, signIn(newClient(t, m).load(), fromProvider("sid")), ErrGone)
			time.Sleep(2 * time.Minute)
			want(t, signIn(newClient(t, m).load(), fromProvider("sid")), nil)
		})
	}
}

// Wherever the logout comes in the commit of the login, the session is gone afterwards.
func TestRevokeProviderSessionRacesWithTheLogin(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 6; n++ {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			calls, inside := 0, false
			store.onCall(func(ctx context.Context, _, _ string) error {
				if inside {
					return nil
				}
				if calls++; calls == n {
					inside = true
					_, err := m.RevokeProviderSession(ctx, "sid")
					inside = false
					return err
				}
				return nil
			})
			c := newClient(t, m)
			s := c.load()
			_ = signIn(s, fromProvider("sid"))
			c.respond(s)
			store.onCall(nil)
			if calls < n {
				revokeProvider(t, m, "sid", 1) // It came after the login.
			}
			equal(t, fmt.Sprintf("before call %d: sessions", n), liveSessions(t, m), 0)
			equal(t, fmt.Sprintf("before call %d: subject", n), c.load().Subject(), "")
		})
	}
}

// The record that names the sessions of a provider's session lasts as long as they do, and no
// longer.
func TestProviderSessionLasts(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(s *Session){
		"reads":  read,
		"writes": increment,
		"stream": func(s *Session) {
			s.sendHeaders()
			want(t, s.KeepAlive(t.Context()), nil)
		},
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
			c := newClient(t, m)
			c.request(signInFrom(t, "sid"))
			for range 100 {
				time.Sleep(7 * time.Minute)
				c.request(use)
			}
			time.Sleep(59 * time.Minute)
			if name != "stream" { // Only its server knows that it goes on.
				equal(t, name+": subject", c.load().Subject(), "ann")
			}
			revokeProvider(t, m, "sid", 1)

			permanent := newClient(t, m)
			permanent.request(signInFrom(t, "permanent"))
			permanent.request(func(s *Session) { want(t, s.SetExpiry(Permanent), nil) })
			acts := newClient(t, m)
			acts.request(func(s *Session) { want(t, s.SignIn(t.Context(), "op", fromProvider("op")), nil) })
			own := acts.clone()
			acts.request(actAs(t))
			for range 10 {
				time.Sleep(20 * time.Minute)
				acts.request(increment)
			}
			revokeProvider(t, m, "permanent", 1)
			revokeProvider(t, m, "op", 1)
			equal(t, "own session", own.load().Subject()+acts.load().Subject(), "")

			newClient(t, m).request(signInFrom(t, "short"))
			time.Sleep(2 * time.Hour)
			_, err := store.Load(t.Context(), m.keyspace.providerKey("short"))
			want(t, err, ErrNotFound)
		})
	}
}

// A login that names no session of a provider, or another one, is not ended with the first. A
// step-up that names none keeps it.
func TestProviderSessionReplaced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		handler func(s *Session) error
		left    string
	}{
		"step-up":              {func(s *Session) error { return s.StepUp(Auth{}) }, ""},
		"step-up from another": {func(s *Session) error { return s.StepUp(Auth{ProviderSession: "new"}) }, "ann"},
		"login":                {func(s *Session) error { return s.Login("ann") }, "ann"},
		"login from another":   {func(s *Session) error { return s.LoginWith("ann", Auth{ProviderSession: "new"}) }, "ann"},
		"login and step-up": {func(s *Session) error {
			want(t, s.LoginWith("ann", Auth{ProviderSession: "old"}), nil)
			equal(t, "pending", s.Auth().ProviderSession, "old")
			return s.StepUp(Auth{})
		}, ""},
		"login and step-up from another": {func(s *Session) error {
			want(t, s.LoginWith("ann", Auth{ProviderSession: "old"}), nil)
			return s.StepUp(Auth{ProviderSession: "new"})
		}, "ann"},
		"another user": {func(s *Session) error { return s.Login("bob") }, "bob"},
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store})
			c := newClient(t, m)
			c.request(signInFrom(t, "old"))
			c.request(func(s *Session) { want(t, tc.handler(s), nil) })
			_, err := m.RevokeProviderSession(t.Context(), "old")
			want(t, err, nil)
			equal(t, name+": subject", c.load().Subject(), tc.left)
		})
	}
}

// A user who signs in and out many times with one session of the provider does not make its record
// grow without bound.
func TestProviderSessionOfManyLogins(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		lasting := newClient(t, m)
		lasting.request(signInFrom(t, "sid"))
		for range 3 * namedAtMost {
			c := newClient(t, m)
			c.request(signInFrom(t, "sid"))
			c.request(func(s *Session) { s.Destroy() })
		}
		n, err := m.records.loadProviderNote(t.Context(), m.keyspace.providerKey("sid"))
		want(t, err, nil)
		if len(n.ids) > namedAtMost || !slices.Contains(n.ids, lasting.ticket().ID.String()) {
			t.Errorf("the record names %d sessions", len(n.ids))
		}
		revokeProvider(t, m, "sid", 1)

		// Nothing is left when the last session has ended.
		for range 3 {
			c := newClient(t, m)
			c.request(func(s *Session) {
				want(t, signIn(s, SignIn{Expiry: Permanent, Auth: Auth{ProviderSession: "left"}}), nil)
			})
			c.request(func(s *Session) { s.Destroy() })
		}
		time.Sleep(2 * time.Minute)
		_, err = store.Load(t.Context(), m.keyspace.providerKey("left"))
		want(t, err, ErrNotFound)
	})
}

// A login that is refused takes the place of no other session.
func TestProviderSessionEndedTakesNoPlace(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, MaxSessions: 1})
		c := newSignedIn(t, m, "ann")
		revokeProvider(t, m, "sid", 0)
		want(t, signIn(newClient(t, m).load(), fromProvider("sid")), ErrGone)
		equal(t, "the device from before", c.load().Subject(), "ann")
	})
}

// If the session cannot be named, the login fails and leaves nothing.
func TestProviderSessionStoreDown(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		key := m.keyspace.providerKey("sid")
		for _, failing := range []string{"load", "save"} {
			store.onCall(func(_ context.Context, op, k string) error {
				if op == failing && k == key {
					return errDown
				}
				return nil
			})
			want(t, signIn(newClient(t, m).load(), fromProvider("sid")), ErrStore)
			equal(t, failing+": sessions", liveSessions(t, m), 0)
			_, err := m.RevokeProviderSession(t.Context(), "sid")
			want(t, err, ErrStore)
		}
		store.onCall(nil)
		// A record that cannot be read is replaced.
		newClient(t, m).request(signInFrom(t, "sid"))
		damageRecord(t, store, key)
		newClient(t, m).request(signInFrom(t, "sid"))
		revokeProvider(t, m, "sid", 1)
	})
}

// Of an erased user the record of the provider's session keeps nothing, and it goes in a minute. It
// stays for the sessions of others, and if the provider's session has ended.
func TestEraseProviderSession(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		newClient(t, m).request(signInFrom(t, "hers"))
		newClient(t, m).request(signInFrom(t, "shared"))
		bob := newClient(t, m)
		bob.request(func(s *Session) { want(t, s.SignIn(t.Context(), "bob", fromProvider("shared")), nil) })
		newClient(t, m).request(signInFrom(t, "over"))
		revokeProvider(t, m, "over", 1)
		_, err := m.Erase(t.Context(), "ann")
		want(t, err, nil)
		for _, session := range []string{"hers", "shared", "over"} {
			n, err := m.records.loadProviderNote(t.Context(), m.keyspace.providerKey(session))
			want(t, err, nil)
			equal(t, session+": subject", n.rec.Subject == m.keyspace.subjectKey("ann"), false)
			equal(t, session+": sessions", len(n.ids), map[string]int{"shared": 1, "over": 1}[session])
		}
		time.Sleep(11 * time.Minute)
		_, err = store.Load(t.Context(), m.keyspace.providerKey("hers"))
		want(t, err, ErrNotFound)
		want(t, signIn(newClient(t, m).load(), fromProvider("over")), ErrGone)
		revokeProvider(t, m, "shared", 1)
	})
}

// Whoever signs in with the session while it is being ended keeps it.
func TestRevokeProviderSessionSparesWhoTakesTheSession(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(signInFrom(t, "sid"))
		key := m.keyspace.key(c.ticket().ID)
		store.onCall(func(_ context.Context, op, k string) error {
			if op == "save" && k == key {
				store.onCall(nil)
				c.request(signInAs(t, "bob")) //nolint:contextcheck // It is that of another request.
			}
			return nil
		})
		_, err := m.RevokeProviderSession(t.Context(), "sid")
		want(t, err, nil)
		equal(t, "subject", c.load().Subject(), "bob")
	})
}
