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

// A goroutine of the request saves while the response begins, and while it ends: both wait, for the cookie and for the
// framework's memory.
func TestScopeWaitsForSaves(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	var saved atomic.Int32
	began := make(chan struct{}, 2)
	store.onCall(func(_ context.Context, op, _ string) error {
		if op == "save" {
			began <- struct{}{}
			time.Sleep(10 * time.Millisecond) // whoever does not wait is done before this
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

// Goroutines of the request ask for its session while the response begins: they get one and the same, and what they put into
// it is stored with a cookie, or they are told that they came late.
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

// raceForSession lets two goroutines ask for the session, and begins the response so many moments later. It reports whether a
// cookie was sent.
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

// Nobody has asked for a session when it is too late for its cookie: who does so then gets one, whether the response has begun
// or its connection is another's, and the scope of another manager may be committed in between.
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
	want(t, hijacked.Err(), nil)
	equal(t, "the scope", fmt.Sprint(hijacked), "sessions: request of session()")
	want(t, visits.Set(hijacked.Get(), 1), ErrLate)
	want(t, hijacked.Close(), nil)
}

// A goroutine of the request loads the session of a lazy manager while the request ends.
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
			time.Sleep(10 * time.Millisecond) // likewise
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

// What is done once the response has begun is carried out, or told of, when the request ends, whatever it is.
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

// A load that failed is tried again by who asks for the session after all, and does not make the visitor a new one.
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

// commitHeader commits before the first byte of a response whose header nobody sees.
func commitHeader(sc *Scope) error {
	_, err := sc.CommitHeader()
	return err
}
