package core

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(func(s *Session) { want(t, note.Set(s, "saved"), nil) })
	c.request(func(s *Session) {
		got, ok := note.Take(s)
		if got != "saved" || !ok {
			t.Errorf("Take gives %q, %v", got, ok)
		}
		if _, again := note.Take(s); again {
			t.Error("a second Take gives it again")
		}
	})
	c.request(func(s *Session) {
		if _, again := note.Take(s); again {
			t.Error("Take of the next request gives it again")
		}
	})
	equal(t, "saves", store.count("save"), 2)
}

// interruptingCodec is a codec that runs a function of the test while it decodes a value.
type interruptingCodec struct {
	JSON
	during func()
}

func (m *interruptingCodec) Decode(data []byte, v any) error {
	if during := m.during; during != nil {
		m.during = nil
		during()
	}
	return m.JSON.Decode(data, v)
}

// If two goroutines of a request take a value at the same time, one of them gets it.
func TestTakeOnce(t *testing.T) {
	t.Parallel()
	codec := new(interruptingCodec)
	c := newClient(t, newTestManager(t, Options{Codec: codec}))
	c.request(func(s *Session) { want(t, note.Set(s, "once"), nil) })
	s := c.load()
	codec.during = func() {
		got, ok := note.Take(s)
		if got != "once" || !ok {
			t.Errorf("the faster one gets %q, %v", got, ok)
		}
	}
	if got, ok := note.Take(s); ok {
		t.Errorf("the slower one gets %q too", got)
	}
	c.respond(s)
	equal(t, "Len", c.load().Len(), 0)
}

// Take returns no value that it cannot remove, because it would be read twice. Of all changes to a
// session that has ended, only a login works: it starts a session with what the visitor had.
func TestTakeFromAnEndedSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(func(s *Session) { want(t, note.Set(s, "saved"), nil) })
	s := c.load()
	c.clone().request((*Session).Destroy)
	want(t, visits.Set(s, 1), nil)
	want(t, s.Save(t.Context()), ErrGone)
	if got, ok := note.Take(s); ok || got != "" {
		t.Errorf("Take gives %q, %v", got, ok)
	}
	want(t, note.Delete(s), ErrGone)
	want(t, s.Clear(), ErrGone)
	want(t, s.Renew(), ErrGone)
	want(t, s.StepUp(Auth{}), ErrGone)
	want(t, s.SetExpiry(time.Hour), ErrGone)
	want(t, s.Remember(true), ErrGone)
	increment(s) // Update has no error.
	want(t, s.Save(t.Context()), ErrGone)
	old := c.ticket().ID
	want(t, s.Login("ann"), nil)
	c.respond(s)
	equal(t, "the id is the old one", c.ticket().ID == old, false)
	c.request(func(s *Session) {
		equal(t, "subject", s.Subject(), "ann")
		equal(t, "values", contents(s), "note=saved")
	})
}

func TestR4bNoUpdateIsLost(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newClient(t, newTestManager(t, Options{Store: store, StoreTimeout: time.Minute}))
		c.request(set(t, 0))
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				mine := c.clone()
				for range 100 {
					mine.request(increment)
				}
			})
		}
		group.Wait()
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 1600) })
	})
}

// If another request has changed the value, each update runs again on it, in order.
func TestUpdateRunsAgain(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	var saw []int
	add := func(n int) int { saw = append(saw, n); return n + 1 }
	double := func(n int) int { saw = append(saw, n); return n * 2 }
	equal(t, "add", visits.Update(s, add), 2)
	equal(t, "double", visits.Update(s, double), 4)
	c.clone().request(set(t, 10))
	c.respond(s)
	equal(t, "what the functions saw", fmt.Sprint(saw), "[1 2 10 11]")
	equal(t, "after the merge", visits.Get(s), 22)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 22) })
}

// An update after Set, Delete or Clear does not depend on the stored value, so it does not run
// again.
func TestUpdateAfterSetIsNotRunAgain(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(s *Session){
		"Set":    set(t, 5),
		"Delete": func(s *Session) { want(t, visits.Delete(s), nil); want(t, visits.Set(s, 5), nil) },
		"Clear":  func(s *Session) { want(t, s.Clear(), nil); want(t, visits.Set(s, 5), nil) },
	} {
		c := newClient(t, newTestManager(t, Options{}))
		c.request(set(t, 1))
		s := c.load()
		first(s)
		increment(s)
		c.clone().request(set(t, 100))
		c.respond(s)
		c.request(func(s *Session) { equal(t, name+": visits", visits.Get(s), 6) })
	}
}

// A change after an update is applied to another request's value too, even if it looked like no
// change.
func TestChangesAfterAnUpdateAreKept(t *testing.T) {
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
		c.request(set(t, 5))
		s := c.load()
		increment(s)
		tc.then(s)
		c.clone().request(set(t, 100))
		c.respond(s)
		c.request(func(s *Session) { equal(t, name, visits.Get(s), tc.wanted) })
	}
}

// The function of an update may use the session, also when it runs again.
func TestUpdateMayUseTheSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	visits.Update(s, func(n int) int {
		want(t, s.load(t.Context()), nil) // Scope.Get does so if the manager is lazy.
		_ = s.Subject()
		return n + len(note.Get(s)) + 1
	})
	c.clone().request(set(t, 10))
	finishInTime(t, s)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 11) })
}
