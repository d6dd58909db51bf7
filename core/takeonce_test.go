package core

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// spend takes the note.
func spend(s *Session) (string, bool, error) { return note.TakeOnce(context.Background(), s) }

// wantSpent fails the test unless the session gives no note, without an error.
func wantSpent(tb testing.TB, what string, s *Session) {
	tb.Helper()
	v, ok, err := spend(s)
	want(tb, err, nil)
	equal(tb, what+": taken", ok, false)
	equal(tb, what+": value", v, "")
}

// newWithNote returns a client in whose session there is a note and a visit.
func newWithNote(tb testing.TB, store Store) *client {
	tb.Helper()
	c := newClient(tb, newTestManager(tb, Options{Store: store}))
	c.request(func(s *Session) { want(tb, note.Set(s, "code"), nil); set(tb, 1)(s) })
	return c
}

// Of any number of parallel requests exactly one gets the value, whether or not they have other
// changes, and none gets it afterwards.
func TestTakeOnceInParallel(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store Store) {
		t.Helper()
		for round := range 30 {
			c := newWithNote(t, store)
			var (
				group sync.WaitGroup
				mu    sync.Mutex
				got   []string
			)
			for i := range 8 {
				mine := c.clone()
				s := mine.load()
				group.Go(func() {
					if round%2 == 0 {
						increment(s)
						want(t, s.Set("mine", i), nil)
					}
					v, ok, err := spend(s)
					want(t, err, nil)
					if ok {
						mu.Lock()
						got = append(got, v)
						mu.Unlock()
					}
					if round%3 == 0 {
						increment(s)
					}
					mine.respond(s)
				})
			}
			group.Wait()
			equal(t, "given", sprint(got), "[code]")
			wanted := 1
			if round%2 == 0 {
				wanted += 8
			}
			if round%3 == 0 {
				wanted += 8
			}
			equal(t, "visits", visits.Get(c.load()), wanted)
			wantSpent(t, "afterwards", c.load())
		}
	})
}

// The value has gone from the store when TakeOnce returns, together with the other changes.
func TestTakeOnceSaves(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newWithNote(t, store)
	store.reset()
	s := c.load()
	increment(s)
	v, ok, err := spend(s)
	want(t, err, nil)
	equal(t, "taken", ok, true)
	equal(t, "value", v, "code")
	equal(t, "saves", store.count("save"), 1)
	equal(t, "what others see", contents(c.load()), "visits=2")
	wantSpent(t, "again", s)
	equal(t, "saves of the next", store.count("save"), 1)
	c.respond(s)
	equal(t, "calls", store.count(""), 3)
	// It works after the response has begun, too.
	c.request(func(s *Session) { want(t, note.Set(s, "next"), nil) })
	s = c.stream()
	v, ok, err = spend(s)
	want(t, err, nil)
	equal(t, "in a stream", v, "next")
	equal(t, "in a stream, taken", ok, true)
}

// Of two goroutines of one request one gets the value.
func TestTakeOnceByTwoGoroutines(t *testing.T) {
	t.Parallel()
	for range 50 {
		c := newWithNote(t, newSpy())
		s := c.load()
		var group sync.WaitGroup
		taken := make([]bool, 2)
		for i := range taken {
			group.Go(func() {
				_, ok, err := spend(s)
				want(t, err, nil)
				taken[i] = ok
			})
		}
		group.Wait()
		equal(t, "one of them", taken[0] != taken[1], true)
	}
}

// A value that another request has changed is not taken, and stays. One that is the same again is.
func TestTakeOnceOfAChangedValue(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(s *Session)
		taken     bool
		left      string
	}{
		"changed":         {func(s *Session) { want(t, note.Set(s, "newer"), nil) }, false, "note=newer visits=2"},
		"deleted":         {func(s *Session) { want(t, note.Delete(s), nil) }, false, "visits=2"},
		"cleared":         {func(s *Session) { want(t, s.Clear(), nil) }, false, "visits=1"},
		"taken":           {func(s *Session) { note.Take(s) }, false, "visits=2"},
		"set to the same": {func(s *Session) { want(t, note.Set(s, "code"), nil) }, true, "visits=2"},
		"another key":     {func(s *Session) { want(t, s.Set("other", true), nil) }, true, "other=true visits=2"},
		"renewed":         {renew, true, "visits=2"},
	} {
		eachStore(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newWithNote(t, store)
			s := c.load()
			increment(s)
			c.clone().request(tc.meanwhile)
			v, ok, err := spend(s)
			want(t, err, nil)
			equal(t, name+": taken", ok, tc.taken)
			equal(t, name+": value", v == "code", tc.taken)
			c.respond(s)
			equal(t, name+": left", contents(c.load()), tc.left)
		})
	}
}

// If only the reply of the store is lost, the value is taken. If another request has saved before
// that is found out, or if the record cannot be looked at, nobody gets it, and the request fails.
func TestTakeOnceWhoseReplyIsLost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after func(store fullSpy, c *client) // what follows the save
		err   error
		taken bool
	}{
		"nothing else":  {func(fullSpy, *client) {}, nil, true},
		"another saved": {func(_ fullSpy, c *client) { c.request(set(t, 5)) }, ErrStore, false},
		"outage":        {func(store fullSpy, _ *client) { store.failOn("load", errDown) }, ErrStore, false},
	} {
		store := newFullSpy()
		c := newWithNote(t, store)
		s := c.load()
		increment(s)
		loseSaveAnswer(store)
		lose := store.before
		store.onCall(func(ctx context.Context, op, key string) error {
			err := lose(ctx, op, key)
			if err != nil {
				store.onCall(nil)
				tc.after(store, c.clone())
			}
			return err
		})
		v, ok, err := spend(s)
		store.onCall(nil)
		want(t, err, tc.err)
		equal(t, name+": taken", ok, tc.taken)
		equal(t, name+": value", v == "code", tc.taken)
		_, err = s.finish(t.Context())
		want(t, err, tc.err)
		wantSpent(t, name, c.load())
		wanted := map[string]int{"nothing else": 2, "another saved": 5, "outage": 2}[name]
		equal(t, name+": visits", visits.Get(c.load()), wanted)
	}
}

// If the store does not save, nobody gets the value, and it is still there for the next request.
func TestTakeOnceOutage(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newWithNote(t, store)
	s := c.load()
	store.failOn("save", errDown)
	v, ok, err := spend(s)
	want(t, err, ErrStore)
	equal(t, "taken", ok, false)
	equal(t, "value", v, "")
	store.onCall(nil)
	_, err = s.finish(t.Context())
	want(t, err, ErrStore)
	v, ok, err = spend(c.load())
	want(t, err, nil)
	equal(t, "the next, taken", ok, true)
	equal(t, "the next", v, "code")
	// A save that fails once is made once more.
	c.request(func(s *Session) { want(t, note.Set(s, "code"), nil) })
	s = c.load()
	store.failFirstSave()
	v, ok, err = spend(s)
	want(t, err, nil)
	equal(t, "made once more, taken", ok, true)
	equal(t, "made once more", v, "code")
}

func TestTakeOnceOfNothing(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	c := newClient(t, m)
	c.request(func(s *Session) {
		wantSpent(t, "a visitor", s)
		// What the request itself has stored can be taken.
		want(t, note.Set(s, "mine"), nil)
		v, ok, err := spend(s)
		want(t, err, nil)
		equal(t, "its own, taken", ok, true)
		equal(t, "its own", v, "mine")
	})
	equal(t, "calls", store.count(""), 0)
	c.request(set(t, 1))
	store.reset()
	c.request(func(s *Session) { wantSpent(t, "absent", s) })
	equal(t, "saves", store.count("save"), 0)
	// A value of another type is not spent, and stays.
	c.request(func(s *Session) { want(t, s.Set("note", 7), nil) })
	c.request(func(s *Session) {
		_, ok, err := spend(s)
		equal(t, "of another type, taken", ok, false)
		want(t, err, ErrBadValue)
	})
	equal(t, "left", contents(c.load()), "note=7 visits=1")
	equal(t, "bad value told", hasKind(events.closeAndList(t, m), EventBadValue), true)
}

// A session that has ended, or that cannot be loaded, gives nothing.
func TestTakeOnceErrors(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *client){
		"destroyed":         func(c *client) { c.request((*Session).Destroy) },
		"revoked":           func(c *client) { want(t, c.m.RevokeByID(t.Context(), c.id()), nil) },
		"somebody signs in": func(c *client) { c.request(signInAs(t, "bob")) },
	} {
		for _, late := range []bool{false, true} { // whether the ticket was overtaken before the load
			c := newWithNote(t, newSpy())
			s := c.load()
			end(c.clone())
			if late {
				s = c.load()
			}
			for range 2 {
				v, ok, err := spend(s)
				want(t, err, ErrGone)
				equal(t, name+": taken", ok, false)
				equal(t, name+": value", v, "")
			}
			equal(t, name+": cookie", c.respond(s).SetCookie, "")
		}
	}
	store := newSpy()
	c := newWithNote(t, store)
	s := unloadedSession(newTestManager(t, Options{Store: store, Lazy: true}), c.cookie)
	store.failOn("load", errDown)
	want(t, s.load(t.Context()), ErrStore)
	_, ok, err := spend(s)
	equal(t, "not loaded, taken", ok, false)
	if !errors.Is(err, ErrStore) {
		t.Errorf("not loaded: error is %v", err)
	}
}
