package core

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const refresh = Key[Lease]("refresh")

// onceTime is the lease in these tests.
const onceTime = 10 * time.Second

// newRefresher returns a client with a session.
func newRefresher(tb testing.TB, store Store) *client {
	tb.Helper()
	c := newSignedIn(tb, newTestManager(tb, Options{Store: store, StoreTimeout: time.Minute}), "ann")
	c.request(set(tb, 1))
	return c
}

// One of a session's parallel requests does the work, and the others wait for it and see its
// result. A request that comes later begins the work again, or finds that it is done.
func TestOnce(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		begun := time.Now()
		var runs, done atomic.Int32
		for i := range 8 {
			mine := c.clone()
			s := mine.load()
			go func() {
				defer done.Add(1)
				increment(s)
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				want(t, Once(t.Context(), s, refresh, onceTime, func() error {
					runs.Add(1)
					time.Sleep(2 * time.Second)
					return note.Set(s, "token")
				}), nil)
				equal(t, "what each sees", note.Get(s), "token")
				_, held := refresh.Lookup(s)
				equal(t, "each sees the lease", held, false)
				waited := time.Since(begun)
				equal(t, "waited for as long as the work takes", waited >= 2*time.Second && waited < 2*time.Second+longestWait, true)
				mine.respond(s)
			}()
		}
		synctest.Wait()
		equal(t, "runs at once", runs.Load(), 1)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		equal(t, "done", done.Load(), 8)
		equal(t, "runs", runs.Load(), 1)
		equal(t, "values", contents(c.load()), "note=token visits=9")
	})
}

// The request that runs the work sees what is stored when it begins, so it can tell whether another
// one has done it.
func TestOnceLooksBeforeItBegins(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		s, stale := c.load(), c.load()
		runs := 0
		for _, s := range []*Session{s, stale} {
			want(t, Once(t.Context(), s, refresh, onceTime, func() error {
				if note.Get(s) != "" {
					return nil
				}
				runs++
				return note.Set(s, "token")
			}), nil)
			equal(t, "what each sees", note.Get(s), "token")
		}
		equal(t, "runs", runs, 1)
	})
}

// If the process that does the work ends, the next request takes over after the lease.
func TestOnceAfterACrash(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		c.request(func(s *Session) {
			func() {
				defer func() { equal(t, "crash", recover() != nil, true) }()
				_ = Once(t.Context(), s, refresh, onceTime, func() error { panic("crash") })
			}()
		})
		begun := time.Now()
		s := c.load()
		runs := 0
		want(t, Once(t.Context(), s, refresh, onceTime, func() error { runs++; return nil }), nil)
		waited := time.Since(begun)
		equal(t, "waited for the lease", waited >= onceTime && waited < onceTime+longestWait, true)
		equal(t, "runs", runs, 1)
		equal(t, "values", contents(c.load()), "visits=1")
	})
}

// A request whose work takes longer than its lease does not end that of the request that has taken
// over.
func TestOnceThatTakesTooLong(t *testing.T) {
	t.Parallel()
	for _, notices := range []bool{false, true} { // whether it has seen the lease of the other
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newRefresher(t, store)
			slow := c.load()
			go func() {
				want(t, Once(t.Context(), slow, refresh, onceTime, func() error {
					time.Sleep(onceTime + time.Second)
					if !notices {
						return nil
					}
					increment(slow)
					return slow.Save(t.Context())
				}), nil)
			}()
			var atWork, most, runs atomic.Int32
			for _, start := range []time.Duration{time.Second, onceTime + 2*time.Second} {
				go func() {
					time.Sleep(start)
					s := c.clone().load()
					want(t, Once(t.Context(), s, refresh, onceTime, func() error {
						most.Store(max(most.Load(), atWork.Add(1)))
						defer atWork.Add(-1)
						runs.Add(1)
						time.Sleep(onceTime - time.Second)
						return nil
					}), nil)
				}()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			equal(t, "at work at the same time", most.Load(), 1)
			equal(t, "runs", runs.Load(), 1)
			_, held := refresh.Lookup(c.load())
			equal(t, "a lease is left", held, false)
		})
	}
}

// Work that fails returns its error and lets the next request try, at once.
func TestOnceThatFails(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		s := c.load()
		begun := time.Now()
		want(t, Once(t.Context(), s, refresh, onceTime, func() error {
			increment(s)
			return errDown
		}), errDown)
		c.respond(s)
		runs := 0
		s = c.load()
		want(t, Once(t.Context(), s, refresh, onceTime, func() error { runs++; return nil }), nil)
		equal(t, "waited", time.Since(begun), 0)
		equal(t, "runs", runs, 1)
		equal(t, "values", contents(c.load()), "visits=2")
	})
}

// A request whose context ends while another one does the work goes on without it.
func TestOnceWhoseContextEnds(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		owner, s := c.load(), c.load()
		go func() {
			want(t, Once(t.Context(), owner, refresh, onceTime, func() error {
				time.Sleep(5 * time.Second)
				return note.Set(owner, "token")
			}), nil)
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		increment(s)
		begun := time.Now()
		err := Once(ctx, s, refresh, onceTime, func() error { t.Error("both do the work"); return nil })
		want(t, err, context.DeadlineExceeded)
		equal(t, "waited", time.Since(begun), 2*time.Second)
		equal(t, "what it sees", note.Get(s), "")
		c.respond(s)
		equal(t, "what it has stored", visits.Get(c.load()), 2)
		time.Sleep(4 * time.Second)
		equal(t, "values", contents(c.load()), "note=token visits=2")
	})
}

// A client that disconnects while its request does the work does not lose the result.
func TestOnceOfADisconnectedClient(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		c := newRefresher(t, store)
		s := c.load()
		ctx, cancel := context.WithCancel(t.Context())
		want(t, Once(ctx, s, refresh, onceTime, func() error { cancel(); return note.Set(s, "token") }), nil)
		equal(t, "values", contents(c.load()), "note=token visits=1")
	})
}

// If the session ends while another request does the work, those that wait learn it, and so does
// the one that works.
func TestOnceOfAnEndedSession(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *client){
		"destroyed":         func(c *client) { c.request((*Session).Destroy) },
		"revoked":           func(c *client) { want(t, c.m.RevokeByID(t.Context(), c.id()), nil) },
		"somebody signs in": func(c *client) { c.request(signInAs(t, "bob")) },
	} {
		eachStoreInBubble(t, func(t *testing.T, store Store) {
			t.Helper()
			c := newRefresher(t, store)
			owner, waits, idle := c.load(), c.load(), c.load()
			errs := make([]error, 2)
			go func() {
				errs[0] = Once(t.Context(), owner, refresh, onceTime, func() error {
					time.Sleep(5 * time.Second)
					return note.Set(owner, "token")
				})
			}()
			synctest.Wait()
			go func() { errs[1] = Once(t.Context(), waits, refresh, onceTime, func() error { return errDown }) }()
			synctest.Wait()
			end(c)
			time.Sleep(time.Second)
			synctest.Wait()
			want(t, errs[1], ErrGone)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			want(t, errs[0], ErrGone)
			want(t, Once(t.Context(), idle, refresh, onceTime, func() error { return errDown }), ErrGone)
			equal(t, name+": what is left", note.Get(c.load()), "")
		})
	}
}

// If the store fails, the work is not begun, and its failure is not mistaken for the end of the
// session.
func TestOnceOutage(t *testing.T) {
	t.Parallel()
	inBubble(t, newTouchSpy, func(t *testing.T, store touchSpy) {
		t.Helper()
		c := newRefresher(t, store)
		s := c.load()
		store.failOn("save", errDown)
		err := Once(t.Context(), s, refresh, onceTime, func() error { t.Error("the work is done"); return nil })
		want(t, err, ErrStore)
		equal(t, "gone", errors.Is(err, ErrGone), false)
		store.onCall(nil)
		// The load of a request that waits.
		owner, s := c.load(), c.load()
		go func() {
			_ = Once(t.Context(), owner, refresh, onceTime, func() error { time.Sleep(5 * time.Second); return nil })
		}()
		synctest.Wait()
		begun := make(chan error, 1)
		go func() { begun <- Once(t.Context(), s, refresh, onceTime, func() error { return nil }) }()
		synctest.Wait()
		store.failOn("load", errDown)
		err = <-begun
		want(t, err, ErrStore)
		equal(t, "gone", errors.Is(err, ErrGone), false)
		store.onCall(nil)
		time.Sleep(10 * time.Second)
	})
}
