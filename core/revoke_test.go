package core

import (
	"context"
	"testing"
	"time"
)

// Revoke ends a session of its owner only.
func TestRevokeIsScopedToItsOwner(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		ann, bob, anonymous := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob"), newClient(t, m)
		anonymous.request(set(t, 1))
		want(t, m.Revoke(t.Context(), "ann", bob.id()), ErrNotFound)
		want(t, m.Revoke(t.Context(), "", bob.id()), ErrNotFound)
		want(t, m.Revoke(t.Context(), "ann", anonymous.id()), ErrNotFound)
		equal(t, "bob", bob.load().Subject(), "bob")
		equal(t, "anonymous, IsNew", anonymous.load().IsNew(), false)
		want(t, m.Revoke(t.Context(), "", anonymous.id()), ErrNotFound)
		equal(t, "anonymous, IsNew", anonymous.load().IsNew(), false)
		want(t, m.RevokeByID(t.Context(), anonymous.id()), nil)
		want(t, m.RevokeByID(canceledContext(t), bob.id()), nil)
		equal(t, "anonymous, IsNew", anonymous.load().IsNew(), true)
		equal(t, "bob, IsNew", bob.load().IsNew(), true)
		id := ann.id()
		want(t, m.Revoke(canceledContext(t), "ann", id), nil)
		equal(t, "ann, IsNew", ann.load().IsNew(), true)
		want(t, m.Revoke(t.Context(), "ann", id), ErrNotFound)
	})
}

// R1: a revoked session stays ended, whatever a request that began before does.
func TestR1RevokeWins(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(s *Session){
		"write": set(t, 2), "update": increment, "read": read, "renew": renew, "login": signInAs(t, "ann"),
		"step-up": func(s *Session) { _ = s.StepUp(Auth{}) }, "remember": func(s *Session) { _ = s.Remember(true) },
	} {
		eachIndexedInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			m := newTestManager(t, Options{Store: store, MaxSessions: 3})
			c := newSignedIn(t, m, "ann")
			s := c.load()
			id := s.ID()
			time.Sleep(4 * 24 * time.Hour) // A touch is due.
			want(t, m.Revoke(t.Context(), "ann", id), nil)
			handler(s)
			reply, err := s.finish(t.Context())
			if name == "login" {
				want(t, err, ErrGone) // It is refused aloud.
				equal(t, name+": status", StatusCode(err), 409)
			} else {
				want(t, err, nil)
			}
			equal(t, name+": cookie", reply.SetCookie, "")
			wantTicketOvertaken(t, name, c, ReasonRevoked)
			wantMark(t, name, store, "session:"+id, ReasonRevoked)
			_, err = m.Lookup(t.Context(), id)
			want(t, err, ErrNotFound)
			equal(t, name+": ann's sessions", pagedSessions(t, m), 0)
		})
	}
}

// R3: no session that exists when RevokeAll is called survives, whatever requests are running.
// Sessions of other subjects and later sessions do.
func TestR3RevokeAllWins(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add})
		handlers := []func(*Session){read, increment, renew, signInAs(t, "ann"), func(s *Session) { _ = s.StepUp(Auth{}) }}
		var clients []*client
		var flight []*Session
		for i := range 20 {
			c := newSignedIn(t, m, "ann")
			s := c.load()
			handlers[i%len(handlers)](s)
			clients, flight = append(clients, c), append(flight, s)
		}
		kept, bob := newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
		clients = append(clients, newSignedIn(t, m, "ann")) // just before RevokeAll
		time.Sleep(4 * 24 * time.Hour)                      // Touches are due.
		n, err := m.RevokeAll(canceledContext(t), "ann", kept.id())
		want(t, err, nil)
		equal(t, "ended", n, len(clients))
		after := newSignedIn(t, m, "ann")
		for i, s := range flight {
			reply, err := s.finish(t.Context())
			equal(t, "cookie of one in flight", reply.SetCookie, "")
			if i%len(handlers) == 3 {
				want(t, err, ErrGone) // A login is refused aloud.
			} else {
				want(t, err, nil)
			}
		}
		for _, c := range clients {
			wantTicketOvertaken(t, "one of the ended", c, ReasonRevokedAll)
		}
		equal(t, "the one excepted", kept.load().Subject(), "ann")
		equal(t, "the one after", after.load().Subject(), "ann")
		equal(t, "another subject", bob.load().Subject(), "bob")
		list, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		equal(t, "listed", len(list), 2)
		revoked := 0
		for _, e := range seen.closeAndList(t, m) {
			if e.Kind == EventRevoked {
				revoked++
				equal(t, "reason", e.Reason, ReasonRevokedAll)
				equal(t, "subject", e.Subject, "ann")
			}
		}
		equal(t, "events", revoked, len(clients))
	})
}

// R3: requests write while RevokeAll runs.
func TestR3RevokeAllAgainstWriters(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		var clients []*client
		for range 8 {
			clients = append(clients, newSignedIn(t, m, "ann"))
		}
		done := make(chan struct{})
		for _, c := range clients {
			go func() {
				defer func() { done <- struct{}{} }()
				for range 20 {
					s := c.load()
					if s.IsNew() {
						return
					}
					increment(s)
					_ = s.Renew()
					c.respond(s)
				}
			}()
		}
		_, err := m.RevokeAll(t.Context(), "ann")
		want(t, err, nil)
		for range clients {
			<-done
		}
		for _, c := range clients {
			equal(t, "IsNew", c.load().IsNew(), true)
		}
	})
}

// R3: a record that has expired by this process's policy, or that it cannot decode, may be a
// session to a process of another release, so it is deleted too.
func TestR3RevokeAllDeletesWhatItCannotDecode(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(m *Manager) (int, error){
		"all of a subject": func(m *Manager) (int, error) { return m.RevokeAll(t.Context(), "ann") },
		"everything":       func(m *Manager) (int, error) { return m.RevokeEverything(t.Context()) },
	} {
		inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
			t.Helper()
			long := newTestManager(t, Options{Store: store, Expiry: 100 * time.Hour})
			old, bad, later := newSignedIn(t, long, "ann"), newSignedIn(t, long, "ann"), newSignedIn(t, long, "ann")
			damageRecord(t, store, "session:"+bad.id())
			writeLater(t, store, "session:"+later.id(), laterCritical)
			time.Sleep(2 * time.Hour)
			m := newTestManager(t, Options{Store: store, Expiry: time.Hour})
			live := newSignedIn(t, m, "ann")
			store.onCall(func(_ context.Context, op, _ string) error {
				if op == "delete" || op == "save" {
					return errDown
				}
				return nil
			})
			n, err := revoke(m)
			want(t, err, ErrStore)
			equal(t, name+": ended, with an error", n, 0)
			store.onCall(nil)
			n, err = revoke(m)
			want(t, err, nil)
			equal(t, name+": ended", n, 1)
			for _, gone := range []*client{old, bad, later} {
				gone.m = long
				wantStranger(t, name+": to the other release", gone)
			}
			equal(t, name+": records", store.recordCount(), 1)
			wantMark(t, name, store, "session:"+live.ticket().ID.String(), map[bool]Reason{
				true: ReasonRevokedAll, false: ReasonRevokedEverything,
			}[name == "all of a subject"])
			equal(t, name+": told", m.Stats().Revoked, 1)
		})
	}
}

// After an error, the number of ended sessions is returned with it. Another call ends the rest.
func TestRevokeAllFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	for range 5 {
		newSignedIn(t, m, "ann")
	}
	for name, tc := range map[string]struct {
		revoke func() (int, error)
		saves  int // RevokeAll first saves that it was called
	}{
		"all":        {func() (int, error) { return m.RevokeAll(t.Context(), "ann") }, 3},
		"everything": {func() (int, error) { return m.RevokeEverything(t.Context()) }, 2},
	} {
		store.reset()
		store.onCall(func(_ context.Context, op, _ string) error {
			if op == "save" && store.count("save") > tc.saves {
				return errDown
			}
			return nil
		})
		n, err := tc.revoke()
		want(t, err, ErrStore)
		equal(t, name+": ended", n, 2)
	}
	store.onCall(nil)
	equal(t, "left", pagedSessions(t, m), 1)
	equal(t, "left of the subject", liveSessions(t, m), 1)
	store.failOn("by subject", errDown)
	_, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, ErrStore)
	store.onCall(nil)
	n, err := m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	equal(t, "ended by the next", n, 1)
	n, err = m.RevokeAll(t.Context(), "ann")
	want(t, err, nil)
	equal(t, "ended when there is none", n, 0)
}

// Each end has its own deadline.
func TestRevokeAllHasATimeoutForEach(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, StoreTimeout: time.Second})
		for range 5 {
			newSignedIn(t, m, "ann")
		}
		store.onCall(func(ctx context.Context, op, _ string) error {
			if op == "save" {
				time.Sleep(900 * time.Millisecond)
			}
			return ctx.Err()
		})
		n, err := m.RevokeAll(canceledContext(t), "ann")
		want(t, err, nil)
		equal(t, "ended", n, 5)
	})
}

// RevokeEverything ends all sessions, signed in or not, in pages, although the client
// disconnects.
func TestRevokeEverything(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add})
		var clients []*client
		for i := range 230 {
			c := newClient(t, m)
			c.request(set(t, i))
			clients = append(clients, c)
		}
		clients[0].request(signInAs(t, "ann"))
		s := clients[0].load()
		n, err := m.RevokeEverything(canceledContext(t))
		want(t, err, nil)
		equal(t, "ended", n, len(clients))
		increment(s)
		clients[0].respond(s)
		for _, c := range clients {
			wantTicketOvertaken(t, "one of them", c, ReasonRevokedEverything)
		}
		equal(t, "left", pagedSessions(t, m), 0)
		time.Sleep(90 * time.Second)
		left, err := m.Count(t.Context())
		want(t, err, nil)
		equal(t, "records left when the marks are gone", left, 0)
		for _, e := range seen.closeAndList(t, m) {
			if e.Kind == EventRevoked {
				equal(t, "reason", e.Reason, ReasonRevokedEverything)
			}
		}
		equal(t, "counted", m.Stats().Revoked, uint64(len(clients)))
	})
}

// No revocation stops because the client disconnects.
func TestRevokeThoughTheClientDisconnects(t *testing.T) {
	t.Parallel()
	for name, revoke := range map[string]func(ctx context.Context, m *Manager, c *client, _ *Session) error{
		"one": func(ctx context.Context, m *Manager, c *client, _ *Session) error {
			return m.Revoke(ctx, "ann", c.ticket().ID.String())
		},
		"all": func(ctx context.Context, m *Manager, _ *client, _ *Session) error {
			_, err := m.RevokeAll(ctx, "ann")
			return err
		},
		"others": func(ctx context.Context, m *Manager, _ *client, by *Session) error {
			_, err := m.RevokeOthers(ctx, by)
			return err
		},
		"everything": func(ctx context.Context, m *Manager, _ *client, _ *Session) error {
			_, err := m.RevokeEverything(ctx)
			return err
		},
	} {
		store := newFullSpy()
		m := newTestManager(t, Options{Store: store})
		c, by := newSignedIn(t, m, "ann"), newSignedIn(t, m, "ann").load()
		store.onCall(func(ctx context.Context, _, _ string) error { return ctx.Err() })
		if err := revoke(canceledContext(t), m, c, by); err != nil {
			t.Errorf("%s: error is %v", name, err)
		}
		equal(t, name+": IsNew", c.load().IsNew(), true)
	}
}
