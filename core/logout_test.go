package core

import "testing"

// Two requests sign out at the same time, and ann signs in again before the second is answered: its
// response must not remove the new cookie.
func TestSecondLogoutLeavesTheCookieAlone(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newSignedIn(t, newTestManager(t, Options{Store: store}), "ann")
		tab := c.clone()
		second := tab.load()
		c.request((*Session).Destroy)
		c.request(signInAs(t, "ann"))
		second.Destroy()
		equal(t, "cookie of the second logout", tab.respond(second).SetCookie, "")
		want(t, visits.Set(second, 1), ErrGone)
		equal(t, "subject", c.load().Subject(), "ann")
	})
}
