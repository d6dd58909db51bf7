package tests_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// crowd makes n calls at once.
func crowd(n int, call func(n int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { call(i) })
	}
	wg.Wait()
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}, MaxConns: 5, MaxIdle: 2})
	rec := mustSave(t, s, record(testserver.Name()))
	proxy.Delay(20 * time.Millisecond)
	var mu sync.Mutex
	most := 0
	crowd(60, func(int) {
		_, open := proxy.Connections()
		mu.Lock()
		most = max(most, open)
		mu.Unlock()
		if _, err := s.Load(t.Context(), rec.Key); err != nil {
			t.Error(err)
		}
		_, open = proxy.Connections()
		mu.Lock()
		most = max(most, open)
		mu.Unlock()
	})
	// One that was closed may not have got to the proxy yet when the next is made.
	if most > 5+5 || most < 2 {
		t.Errorf("%d connections were open at once, want 5 at most", most)
	}
	eventually(t, "more connections are idle than may be", func() bool { _, open := proxy.Connections(); return open == 2 })
}

func TestWaitingForAConnectionEnds(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}, MaxConns: 1, Timeout: 500 * time.Millisecond})
	proxy.BlackHole()
	promptly(t, func() {
		crowd(8, func(int) {
			if _, err := s.Load(context.WithoutCancel(t.Context()), "k"); !failure(err) {
				t.Errorf("Load while nothing answers = %v, want a failure: the context has no end, but Options.Timeout is set", err)
			}
		})
	})
	proxy.Heal()
	wantsNone(t, s, testserver.Name())
}

// TestWaitingObeysTheContext waits behind a call that has more time.
func TestWaitingObeysTheContext(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}, MaxConns: 1, Timeout: time.Minute})
	proxy.BlackHole()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Load(t.Context(), "k") })
	eventually(t, "no connection is made", func() bool { _, open := proxy.Connections(); return open == 1 })
	promptly(t, func() { callsFail(t, s, record("k"), 2) })
	proxy.Heal()
	wg.Wait()
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	rec := mustSave(t, s, record(testserver.Name()))
	for range 50 {
		rec = mustSave(t, s, rec)
		wants(t, s, rec)
		wantsNone(t, s, rec.Key+"absent")
	}
	if total, _ := proxy.Connections(); total != 1 {
		t.Errorf("%d connections were made for calls one after the other, want 1", total)
	}
}

// TestRoundTrips counts requests: one each for a load, a create and a delete, two for a replace and a touch.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	h := &hooked{}
	s := h.open(t, testserver.Shared(t, roomy()).Addr())
	rec := record(testserver.Name())
	for _, step := range []struct {
		name string
		want int32
		call func() error
	}{
		{"create", 1, func() (err error) { rec, err = s.Save(t.Context(), rec); return err }},
		{"load", 1, func() error { _, err := s.Load(t.Context(), rec.Key); return err }},
		{"replace", 2, func() (err error) { rec, err = s.Save(t.Context(), rec); return err }},
		{"touch", 2, func() error { rec.Expires = rec.Expires.Add(time.Hour); return s.Touch(t.Context(), rec) }},
		{"delete", 1, func() error { return s.Delete(t.Context(), rec.Key) }},
	} {
		before := h.asked.Load()
		if err := step.call(); err != nil {
			t.Errorf("%s = %v", step.name, err)
		}
		if n := h.asked.Load() - before; n != step.want {
			t.Errorf("%s took %d requests, want %d", step.name, n, step.want)
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}, IdleTimeout: time.Millisecond})
	for range 5 {
		wantsNone(t, s, testserver.Name())
		time.Sleep(2 * time.Millisecond)
	}
	if total, _ := proxy.Connections(); total != 5 {
		t.Errorf("%d connections were made, want 5: each had been idle for too long", total)
	}
	eventually(t, "connections that were idle for too long are open", func() bool { _, open := proxy.Connections(); return open <= 1 })
}

func TestCloseEndsIdleConnections(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	wantsNone(t, s, testserver.Name())
	if _, open := proxy.Connections(); open != 1 {
		t.Errorf("%d connections are open, so nothing is tested", open)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	eventually(t, "a connection is open after Close", func() bool { _, open := proxy.Connections(); return open == 0 })
}

func TestClose(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	proxy.Delay(50 * time.Millisecond)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() { _, _ = s.Save(t.Context(), record(fmt.Sprint(testserver.Name(), n))) })
	}
	eventually(t, "no connection is made", func() bool { _, open := proxy.Connections(); return open == 4 })
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	wg.Wait()
	eventually(t, "connections are open after Close", func() bool { _, open := proxy.Connections(); return open == 0 })
	if _, err := s.Load(t.Context(), "k"); !failure(err) {
		t.Errorf("Load after Close = %v, want a failure", err)
	}
}

// TestNothingIsLeft runs alone, so that goroutines can be counted.
func TestNothingIsLeft(t *testing.T) { //nolint:paralleltest // see above
	server := testserver.Start(t, testserver.Memcached{})
	proxy := server.Proxy(t)
	before := runtime.NumGoroutine()
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	rec := mustSave(t, s, record("k"))
	for _, fault := range []func(){proxy.BlackHole, proxy.Drop, func() { proxy.Delay(time.Second) }, func() { server.Kill(t) }} {
		fault()
		promptly(t, func() { callsFail(t, s, rec, 20) })
		proxy.Heal()
		proxy.Reset()
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	eventually(t, "connections are open", func() bool { _, open := proxy.Connections(); return open == 0 })
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}
