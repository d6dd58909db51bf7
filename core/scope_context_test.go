package core

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// openRequest opens the scope of a request with this cookie.
func openRequest(ctx context.Context, t *testing.T, m *Manager, c adapter.Client, cookie string) *Scope {
	t.Helper()
	sc := new(Scope)
	want(t, sc.Open(ctx, ScopeOf(ctx), m, c, cookie), nil)
	return sc
}

// commitInto commits before the first byte of the response and applies the reply to its header.
func commitInto(sc *Scope, header map[string][]string) error {
	reply, err := sc.CommitHeader()
	if err == nil {
		reply.Apply(header)
	}
	return err
}

// A scope is the context of the request, so its Err is that of the context.
func TestScopeHasTheErrorOfItsContext(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Store: newSpy()})
	ctx, cancel := context.WithCancel(t.Context())
	sc := openRequest(ctx, t, m, nil, "")
	cancel()
	<-sc.Done()
	var c context.Context = sc
	want(t, c.Err(), context.Canceled)
	if c.Err() == nil {
		t.Error("context is done and has no error")
	}
}

// Contexts can be derived from the scope of a client that has disconnected.
func TestContextsFromAScopeThatHasEnded(t *testing.T) {
	t.Parallel()
	store := newFullSpy()
	m := newTestManager(t, Options{Store: store})
	b := newSignedIn(t, m, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	sc := openRequest(ctx, t, m, nil, b.cookie)
	cancel() // the client hangs up
	for what, f := range map[string]func(){
		"WithTimeout": func() { _, c := context.WithTimeout(sc, time.Second); c() },
		"List":        func() { _, err := m.List(sc, "alice"); t.Log(err) },
		"Lookup":      func() { _, err := m.Lookup(sc, "alice"); t.Log(err) },
		"nested Open": func() {
			m2 := newTestManager(t, Options{Store: newSpy(), Cookie: Cookie{Name: "two"}})
			var in Scope
			t.Log(in.Open(sc, sc, m2, nil, strings.Replace(b.cookie, "session", "two", 1)))
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic: %v", r)
				}
			}()
			f()
		})
	}
}

func TestFailedCommitEndsNoContext(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	sc := openRequest(t.Context(), t, m, nil, "")
	set(t, 1)(sc.Get())
	store.failOn("save", errDown)
	want(t, commitHeader(sc), ErrStore)
	if err := context.Context(sc).Err(); err != nil {
		t.Errorf("the context has not ended and says %v", err)
	}
}

func TestScopeErrBesideTheCommit(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	sc := openRequest(t.Context(), t, m, nil, "")
	set(t, 1)(sc.Get())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			_ = context.Context(sc).Err()
		}
	}()
	want(t, commitHeader(sc), nil)
	<-done
}

// A nested scope sees that the client has disconnected.
func TestNestedScopeOfAGoneClientTouchesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newTouchSpy()
		outer := newTestManager(t, Options{Store: newSpy(), Cookie: Cookie{Name: "outer"}})
		m := newTestManager(t, Options{Store: store})
		b := newClient(t, m)
		b.request(set(t, 1))
		time.Sleep(DefaultExpiry / 5)
		ctx, cancel := context.WithCancel(t.Context())
		so := openRequest(ctx, t, outer, nil, "")
		sc := openRequest(so, t, m, nil, b.cookie)
		read(sc.Get())
		cancel()
		store.reset()
		want(t, commitHeader(sc), nil)
		equal(t, "store calls for a client that is gone", store.count(""), 0)
	})
}
