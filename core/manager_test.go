package core

import "testing"

func TestCookieNameAndLazy(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Lazy: true, Cookie: Cookie{Name: "n"}})
	equal(t, "CookieName", m.CookieName(), "n")
	equal(t, "Lazy", m.Lazy(), true)
}

// A manager without a store in its options has a bounded memory store of its own.
func TestDefaultStoreIsPrivate(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 7))
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 7) })
	c.m = newTestManager(t, Options{})
	c.request(func(s *Session) { equal(t, "is new elsewhere", s.IsNew(), true) })
}
