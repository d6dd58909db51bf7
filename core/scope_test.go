package core

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// The response waits for a save of another goroutine, which may need the cookie sent. So does
// the end of the request, because the framework reuses its memory.
func TestScopeWaitsForSaves(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	var saved atomic.Int32
	began := make(chan struct{}, 2)
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "save" {
			began <- struct{}{}
			time.Sleep(10 * time.Millisecond) // If nobody waits, the request ends before this.
			saved.Add(1)
		}
		return nil
	})
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, m, nil), nil)
	s := sc.Get()
	saving := func(n int) {
		want(t, visits.Set(s, n), nil)
		go func() { want(t, s.Save(t.Context()), nil) }()
		<-began
	}
	saving(1)
	reply, err := sc.CommitHeader()
	want(t, err, nil)
	if reply.SetCookie == "" {
		t.Fatal("no cookie was sent")
	}
	saving(2)
	want(t, sc.Close(), nil)
	equal(t, "saves when the request ended", saved.Load(), 2)
}

// Goroutines of a request that ask for the session while the response begins get the same one.
// What they store in it is saved with a cookie, or they get ErrLate.
func TestScopeMakesOneSession(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Lazy: true})
	unknown := newTestTicket(t, m)
	for _, cookie := range [][]string{nil, {"session=" + textOf(&unknown)}} {
		outcomes := map[bool]int{}
		for n := range 2000 {
			outcomes[raceForSession(t, m, n%100, cookie)]++
		}
		if len(outcomes) != 2 {
			t.Errorf("with the cookies %q everybody was in time, or nobody: %v", cookie, outcomes)
		}
	}
}

// raceForSession runs two goroutines that ask for the session, and begins the response after
// yielding this many times. It reports whether a cookie was sent.
func raceForSession(t *testing.T, m *Manager, moments int, cookie []string) bool {
	t.Helper()
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, m, nil, cookie...), nil)
	var got [2]*Session
	var errs [len(got)]error
	var start atomic.Bool
	var ready, end sync.WaitGroup
	ready.Add(1)
	for i := range got {
		end.Go(func() {
			if i == 0 {
				ready.Done()
			}
			for !start.Load() {
				runtime.Gosched()
			}
			got[i] = sc.Get()
			errs[i] = visits.Set(got[i], 1)
		})
	}
	ready.Wait()
	start.Store(true)
	for range moments {
		runtime.Gosched()
	}
	reply, err := sc.CommitHeader()
	want(t, err, nil)
	end.Wait()
	ended := sc.Close()
	for i, s := range got {
		if s != sc.Get() {
			t.Fatal("the request has more than one session")
		}
		if late := errors.Is(errs[i], ErrLate) || errors.Is(ended, ErrLate); late == (reply.SetCookie != "") {
			t.Fatalf("Set: %v, Close: %v, cookie %q", errs[i], ended, reply.SetCookie)
		}
	}
	return reply.SetCookie != ""
}

// A handler may ask for the session for the first time after the response has begun or the
// connection was taken over.
func TestScopeMakesSessionsLate(t *testing.T) {
	t.Parallel()
	outer, inner := new(Scope), new(Scope)
	want(t, outer.Open(t.Context(), nil, newTestManager(t, Options{Cookie: Cookie{Name: "outer"}}), nil), nil)
	want(t, inner.Open(outer, outer, newTestManager(t, Options{}), nil), nil)
	want(t, commitHeader(inner), nil)
	want(t, commitHeader(outer), nil)
	want(t, inner.Commit(func(r *adapter.Reply) { equal(t, "a cookie that comes too late", r.SetCookie, "") }), nil)
	want(t, visits.Set(outer.Get(), 1), ErrLate)

	hijacked := new(Scope)
	want(t, hijacked.Open(t.Context(), nil, newTestManager(t, Options{}), nil), nil)
	want(t, hijacked.HeaderSent(), nil)
	want(t, commitHeader(hijacked), nil)
	want(t, hijacked.CommitErr(), nil)
	equal(t, "the scope", fmt.Sprint(hijacked), "sessions: request of session()")
	want(t, visits.Set(hijacked.Get(), 1), ErrLate)
	want(t, hijacked.Close(), nil)
}

// The end of the request waits for a goroutine that loads the session of a lazy manager.
func TestScopeWaitsForLoads(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store, Lazy: true})
	c := newClient(t, m)
	c.request(set(t, 1))
	var loaded atomic.Bool
	began := make(chan struct{})
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "load" {
			close(began)
			time.Sleep(10 * time.Millisecond) // The same.
			loaded.Store(true)
		}
		return nil
	})
	sc := c.openScope(nil, func(*Scope) {})
	go sc.Get()
	<-began
	want(t, sc.Close(), nil)
	equal(t, "loaded when the request ended", loaded.Load(), true)
}

// What happens after the response has begun is saved or reported when the request ends.
func TestScopeCommitsLateChangesAtClose(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{MaxSize: 1 << 10}))
	c.request(set(t, 1))
	once := func(sc *Scope) { equal(t, "visits", visits.Get(sc.Get()), 1) }
	sc := c.openScope(nil, once)
	want(t, visits.Set(sc.Get(), 2), nil)
	want(t, sc.Close(), nil)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
	c.request(set(t, 1))

	sc = c.openScope(nil, once)
	note.Update(sc.Get(), func(string) string { return strings.Repeat("x", 1<<10) })
	want(t, sc.Close(), ErrTooLarge)

	store := newSpy()
	lazy := newClient(t, newTestManager(t, Options{Store: store, Lazy: true}))
	lazy.request(set(t, 1))
	sc = lazy.openScope(nil, func(*Scope) {})
	store.failOn("load", errDown)
	equal(t, "visits that could not be loaded", visits.Get(sc.Get()), 0)
	want(t, sc.Close(), ErrStore)

	sc = c.openScope(nil, once)
	sc.Get().Destroy()
	want(t, sc.Close(), nil)
	equal(t, "the session, IsNew", c.load().IsNew(), true)
}

// After a load that failed, the session can be loaded again. It does not become a new one.
func TestScopeLoadsAgain(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	c := newClient(t, m)
	c.request(set(t, 1))
	store.failOn("load", errDown)
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, m, nil, c.cookie), ErrStore)
	_, err := sc.Load()
	want(t, err, ErrStore)
	store.onCall(nil)
	s, err := sc.Load()
	want(t, err, nil)
	equal(t, "visits", visits.Get(s), 1)
}

// commitHeader commits before the first byte of a response and drops the reply.
func commitHeader(sc *Scope) error {
	_, err := sc.CommitHeader()
	return err
}
