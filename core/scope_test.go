package core

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// A goroutine of the request saves while the response begins, and while it ends: both wait, for the cookie and for the
// framework's memory.
func TestScopeWaitsForSaves(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	var saved atomic.Int32
	began := make(chan struct{}, 2)
	store.hook(func(_ context.Context, op, _ string) error {
		if op == "save" {
			began <- struct{}{}
			time.Sleep(10 * time.Millisecond) // whoever does not wait is done before this
			saved.Add(1)
		}
		return nil
	})
	sc := new(Scope)
	want(t, sc.Open(t.Context(), m, nil), nil)
	s := sc.Get()
	saving := func(n int) {
		want(t, visits.Set(s, n), nil)
		go func() { want(t, s.Save(t.Context()), nil) }()
		<-began
	}
	saving(1)
	reply, err := sc.Finish()
	want(t, err, nil)
	if reply.SetCookie == "" {
		t.Fatal("no cookie was sent")
	}
	saving(2)
	want(t, sc.Close(), nil)
	equal(t, "saves when the request ended", saved.Load(), 2)
}
