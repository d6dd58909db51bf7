package core

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// O5: a store that does not answer in time has failed. The call ends at the deadline.
func TestO5SlowStore(t *testing.T) {
	t.Parallel()
	inBubble(t, newSpy, func(t *testing.T, store *spy) {
		t.Helper()
		m := newTestManager(t, Options{Store: store, StoreTimeout: 2 * time.Second})
		c := newClient(t, m)
		c.request(set(t, 1))
		ready := c.load()
		increment(ready)
		store.onCall(func(ctx context.Context, _, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		})
		start := time.Now()
		s := unloadedSession(m, c.cookie)
		err := s.load(t.Context())
		want(t, err, ErrStore)
		want(t, err, context.DeadlineExceeded)
		equal(t, "a load takes", time.Since(start), 2*time.Second)
		start = time.Now()
		_, err = ready.finish(t.Context())
		want(t, err, ErrStore)
		equal(t, "a commit takes", time.Since(start), 2*time.Second)
	})
}

type contextKey struct{}

// StoreEvents reports each call of the store with its duration, its error and its session.
func TestStoreEvents(t *testing.T) {
	t.Parallel()
	inBubble(t, newFullSpy, func(t *testing.T, store fullSpy) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add, StoreEvents: true, Expiry: time.Hour})
		c := newSignedIn(t, m, "ann")
		id := c.id()
		time.Sleep(10 * time.Minute)
		c.request(read)
		store.onCall(func(context.Context, string, string) error { time.Sleep(time.Second); return nil })
		_, err := m.List(t.Context(), "ann")
		want(t, err, nil)
		_, _, err = m.Page(t.Context(), "", 0)
		want(t, err, nil)
		_, err = m.Count(t.Context())
		want(t, err, nil)
		store.failOn("save", errDown)
		want(t, m.Revoke(t.Context(), "ann", id), ErrStore)
		wanted := []struct {
			operation, id string
			took          time.Duration
			err           error
		}{
			{"save", id, 0, nil},
			{"load", m.keyspace.idOf(m.keyspace.revocationKey("ann")), 0, nil},
			{"load", id, 0, nil},
			{"load", id, 0, nil},
			{"touch", id, 0, nil},
			{"list subject", "", time.Second, nil},
			{"list", "", time.Second, nil},
			{"count", "", time.Second, nil},
			{"load", id, 0, nil},
			{"save", id, 0, errDown},
			{"load", id, 0, nil}, // what has become of the save
		}
		n := 0
		for _, e := range seen.closeAndList(t, m) {
			if e.Kind == EventStoreFailed {
				equal(t, "operation that failed", e.Operation, "save")
			}
			if e.Kind != EventStoreCalled {
				continue
			}
			if n < len(wanted) {
				w := wanted[n]
				equal(t, "operation", e.Operation, w.operation)
				equal(t, w.operation+": session", e.SessionID, w.id)
				equal(t, w.operation+": took", e.Took, w.took)
				equal(t, w.operation+": ended as expected", errors.Is(e.Err, w.err) || n == 1 && errors.Is(e.Err, ErrNotFound), true)
			}
			n++
		}
		equal(t, "calls told", n, len(wanted))
	})
}

func TestStoreEventsAreOptional(t *testing.T) {
	t.Parallel()
	seen := new(recorder)
	m := newTestManager(t, Options{OnEvent: seen.add})
	newSignedIn(t, m, "ann").request(increment)
	equal(t, "told without the option", hasKind(seen.closeAndList(t, m), EventStoreCalled), false)
}

// Errors are wrapped once, start with the name of the module, and keep the store's error for
// errors.Is.
func TestErrorsSayTheOperation(t *testing.T) {
	t.Parallel()
	err := wrapStoreError("load", errDown)
	equal(t, "text", err.Error(), "sessions: store failed: load: connection refused")
	equal(t, "is both", errors.Is(err, ErrStore) && errors.Is(err, errDown), true)
}

// A store that wraps a memstore is called, although it has the methods of the memstore as well.
func TestWrappedMemoryStoreIsAsked(t *testing.T) {
	t.Parallel()
	inner := memstore.New(memstore.Options{})
	c := newClient(t, newTestManager(t, Options{Store: inner}))
	c.request(set(t, 1))
	s := unloadedSession(newTestManager(t, Options{Store: wrappedStore{inner}}), c.cookie)
	want(t, s.load(t.Context()), ErrStore)
}

// wrappedStore is a memstore with a Load method of its own.
type wrappedStore struct{ *memstore.Store }

func (wrappedStore) Load(context.Context, string) (Record, error) { return Record{}, errDown }
