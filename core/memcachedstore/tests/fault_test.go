package tests_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func TestFaults(t *testing.T) {
	faulttest.Faults(t, faulttest.Backend{
		Name: "Memcached", Open: openAt, Kill: faulttest.Everything, Conns: memcachedstore.DefaultMaxConns,
		Start: func(tb testing.TB) (*testserver.Server, string) {
			tb.Helper()
			server := testserver.Start(tb, testserver.Memcached{})
			address := server.Addr()
			return server, address
		},
	})
}

// callsFail makes every call n times, all at once, with a deadline that the server lets pass.
func callsFail(t *testing.T, s *memcachedstore.Store, rec store.Record, n int) {
	t.Helper()
	faulttest.CallsFail(t, s, rec, n)
}

// TestO5DeadlineOfTheContext has a server slower than the deadline: the error is the context's.
func TestO5DeadlineOfTheContext(t *testing.T) {
	t.Parallel()
	proxy := testserver.Shared(t, roomy()).Proxy(t)
	s := open(t, memcachedstore.Options{Servers: []string{proxy.Addr()}})
	rec := mustSave(t, s, record(testserver.Name()))
	proxy.Delay(200 * time.Millisecond)
	err := within(t, 20*time.Millisecond, func(ctx context.Context) error { _, err := s.Load(ctx, rec.Key); return err })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Load with a deadline shorter than the server takes = %v, want the context's error", err)
	}
}

// TestO1OneServerDown has one of two servers down: its sessions fail, are not missing, and those of the other are served.
func TestO1OneServerDown(t *testing.T) {
	t.Parallel()
	first, second := testserver.Start(t, testserver.Memcached{}), testserver.Start(t, testserver.Memcached{Threads: 2})
	s := open(t, memcachedstore.Options{Servers: []string{first.Addr(), second.Addr()}})
	for n := range 40 {
		mustSave(t, s, record(fmt.Sprint("k", n)))
	}
	first.Kill(t)
	served := 0
	for n := range 40 {
		switch _, err := s.Load(t.Context(), fmt.Sprint("k", n)); {
		case err == nil:
			served++
		case !failure(err):
			t.Errorf("Load while the server is down = %v, want a failure", err)
		}
	}
	if served == 0 || served == 40 {
		t.Errorf("%d of 40 sessions were served, want about half", served)
	}
}
