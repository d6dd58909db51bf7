package core

import "testing"

func TestCookieNameAndLazy(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Lazy: true, Cookie: Cookie{Name: "n"}})
	equal(t, "CookieName", m.CookieName(), "n")
	equal(t, "Lazy", m.Lazy(), true)
}

// The third example's store: without one in the options there is a bounded one in memory, of the manager's own.
func TestDefaultStoreIsPrivate(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 7))
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 7) })
	c.m = newTestManager(t, Options{})
	c.request(func(s *Session) { equal(t, "is new elsewhere", s.IsNew(), true) })
}
