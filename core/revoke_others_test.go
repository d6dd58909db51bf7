package core

import (
	"testing"
	"time"
)

func TestRevokeOthers(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		others := func(s *Session) (int, error) { return m.RevokeOthers(t.Context(), s) }
		this, other, bob := newSignedIn(t, m, "ann"), newSignedIn(t, m, "ann"), newSignedIn(t, m, "bob")
		this.request(func(s *Session) {
			n, err := others(s)
			want(t, err, nil)
			equal(t, "ended", n, 1)
		})
		equal(t, "this one", this.load().Subject(), "ann")
		equal(t, "the other, IsNew", other.load().IsNew(), true)
		equal(t, "bob", bob.load().Subject(), "bob")
		// A client may use a retired secret in its grace period.
		former := this.clone()
		this.request(renew)
		newSignedIn(t, m, "ann")
		n, err := others(former.load())
		want(t, err, nil)
		equal(t, "ended under the former secret", n, 1)
		// A login counts before it is committed, on a new session and on a stored one.
		fresh := newClient(t, m)
		fresh.request(func(s *Session) {
			want(t, s.Login("ann"), nil)
			n, err := others(s)
			want(t, err, nil)
			equal(t, "ended before the login is committed", n, 1)
		})
		equal(t, "the new one", fresh.load().Subject(), "ann")
		equal(t, "this one, IsNew", this.load().IsNew(), true)
		bob.request(func(s *Session) {
			want(t, s.Login("ann"), nil)
			_, err := others(s)
			want(t, err, nil)
		})
		equal(t, "who was bob", bob.load().Subject(), "ann")
		equal(t, "the new one, IsNew", fresh.load().IsNew(), true)
	})
}

// A session that has ended, or in which nobody is signed in, ends no other.
func TestRevokeOthersByAnEndedSession(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		user := newSignedIn(t, m, "ann")
		for name, test := range map[string]struct {
			before func(c *client)
			err    error
		}{
			"revoked":   {func(c *client) { want(t, m.Revoke(t.Context(), "ann", c.id()), nil) }, ErrGone},
			"logged in": {func(c *client) { c.clone().request(signInAs(t, "bob")) }, ErrGone},
			"stepped up": {func(c *client) {
				tab := c.clone()
				tab.request(signInAs(t, "ann"))
				deliver(tab)
			}, ErrGone},
			"destroyed": {func(c *client) { c.clone().request((*Session).Destroy) }, ErrGone},
			"expired":   {func(*client) { time.Sleep(31 * 24 * time.Hour) }, ErrGone},
		} {
			c := newSignedIn(t, m, "ann")
			s := c.load()
			test.before(c)
			if name == "expired" {
				user = newSignedIn(t, m, "ann")
			}
			_, err := m.RevokeOthers(t.Context(), s)
			want(t, err, test.err)
			equal(t, name+": the user", user.load().Subject(), "ann")
		}
		c := newSignedIn(t, m, "ann")
		s := c.load()
		want(t, m.Revoke(t.Context(), "ann", c.id()), nil)
		increment(s)
		c.respond(s)
		_, err := m.RevokeOthers(t.Context(), s)
		want(t, err, ErrGone)
		anonymous := newClient(t, m)
		_, err = m.RevokeOthers(t.Context(), anonymous.load())
		want(t, err, ErrAnonymous)
		anonymous.request(set(t, 1))
		_, err = m.RevokeOthers(t.Context(), anonymous.load())
		want(t, err, ErrAnonymous)
		s = newSignedIn(t, m, "ann").load()
		s.Destroy()
		_, err = m.RevokeOthers(t.Context(), s)
		want(t, err, ErrAnonymous)
		_, err = newTestManager(t, Options{Store: store}).RevokeOthers(t.Context(), user.load())
		want(t, err, errOtherManager)
		equal(t, "the user", user.load().Subject(), "ann")
	})
}

// A step-up whose answer is still under way takes nothing from the requests with the former
// secret: they end the others, and the session itself stays.
func TestRevokeOthersBesideAStepUp(t *testing.T) {
	t.Parallel()
	eachIndexedInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		m := newTestManager(t, Options{Store: store})
		c, other := newSignedIn(t, m, "ann"), newSignedIn(t, m, "ann")
		underWay, late := c.clone().load(), c.clone()
		c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
		n, err := m.RevokeOthers(t.Context(), underWay)
		want(t, err, nil)
		equal(t, "ended by the one under way", n, 1)
		wantTicketOvertaken(t, "the other", other, ReasonRevokedAll)
		newSignedIn(t, m, "ann")
		n, err = m.RevokeOthers(t.Context(), late.load())
		want(t, err, nil)
		equal(t, "ended by the late one", n, 1)
		wantAuth(t, "the session", c.load().Auth(), 2)
	})
}

func TestRevokeOthersOutage(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	c, other := newSignedIn(t, m, "ann"), newSignedIn(t, m, "ann")
	s := c.load()
	for _, op := range []string{"load", "by subject", "save"} {
		store.failOn(op, errDown)
		_, err := m.RevokeOthers(t.Context(), s)
		want(t, err, ErrStore)
	}
	store.onCall(nil)
	equal(t, "the other", other.load().Subject(), "ann")
}
