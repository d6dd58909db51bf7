package core

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// bomb is a client that panics.
type bomb struct{ n int }

func (*bomb) Fetch() adapter.Fetch { return adapter.Fetch{} }

func (b *bomb) Client() (string, string) { b.n++; panic("bomb") }

// tryCommit commits and recovers from a panic.
func tryCommit(sc *Scope) (panicked bool, err error) {
	defer func() { panicked = recover() != nil }()
	return false, commitHeader(sc)
}

// After a panic in the commit, the response of a recovery middleware can be sent.
func TestClientPanicsInTheCommit(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := &bomb{}
	sc := openRequest(t.Context(), t, m, c, "")
	signInAs(t, "alice")(sc.Get())
	panicked, _ := tryCommit(sc)
	equal(t, "first panics", panicked, true)
	panicked, err := tryCommit(sc)
	equal(t, "second panics", panicked, false)
	want(t, err, nil)
}

func TestStorePanicsInTheCommit(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"touch", "load", "save", "delete"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := newTouchSpy()
				m := newTestManager(t, Options{Store: store})
				b := newClient(t, m)
				b.request(set(t, 1))
				time.Sleep(DefaultExpiry / 5)
				sc := openRequest(t.Context(), t, m, nil, b.cookie)
				if op == "delete" { // Only a session that no browser has is deleted.
					sc = openRequest(t.Context(), t, m, nil, "")
					set(t, 1)(sc.Get())
					want(t, sc.Get().Save(t.Context()), nil)
				}
				if op != "touch" {
					sc.Get().Destroy()
				}
				store.onCall(func(_ context.Context, got, _ string) error {
					if got == op {
						panic("driver")
					}
					return nil
				})
				panicked, _ := tryCommit(sc)
				equal(t, "first panics", panicked, true)
				panicked, _ = tryCommit(sc)
				equal(t, "second panics", panicked, false)
			})
		})
	}
}

// The response of a recovery commits nothing.
func TestUpdatePanicsInTheMerge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTouchSpy()
		m := newTestManager(t, Options{Store: store})
		b := newClient(t, m)
		b.request(set(t, 1))
		time.Sleep(DefaultExpiry / 5)
		sc := openRequest(t.Context(), t, m, nil, b.cookie)
		n := 0
		visits.Update(sc.Get(), func(v int) int {
			if n++; n > 1 {
				panic("update")
			}
			return v + 1
		})
		c2 := b.clone()
		store.beforeSave(func() { c2.request(increment) })
		panicked, _ := tryCommit(sc)
		equal(t, "first panics", panicked, true)
		store.reset()
		h := map[string][]string{}
		time.Sleep(DefaultExpiry / 5)
		_ = commitInto(sc, h)
		equal(t, "calls by the recovered response", store.count(""), 0)
		equal(t, "fields", len(h), 0)
	})
}

// An update that writes to the response when it runs again does not wait for its own commit.
func TestUpdateThatBeginsTheResponse(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	b := newClient(t, m)
	b.request(set(t, 1))
	sc := openRequest(t.Context(), t, m, nil, b.cookie)
	n := 0
	visits.Update(sc.Get(), func(v int) int {
		if n++; n > 1 {
			_ = commitHeader(sc) // writes to the response, say a debug line
		}
		return v + 1
	})
	c2 := b.clone()
	store.beforeSave(func() { c2.request(increment) })
	done := make(chan error, 1)
	go func() { done <- commitHeader(sc) }()
	select {
	case err := <-done:
		want(t, err, nil)
	case <-time.After(3 * time.Second):
		t.Error("deadlock")
	}
}
