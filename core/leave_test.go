package core

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// openScope returns the scope of a request with the browser's cookie.
func openScope(ctx context.Context, t *testing.T, m *Manager, c *client) *Scope {
	t.Helper()
	sc := new(Scope)
	want(t, sc.Open(ctx, nil, m, nil, c.cookie), nil)
	return sc
}

// What an error handler changes after CommitEnd is saved when the header leaves, with the cookie of a session that it starts.
func TestLeaveSavesWhatErrorHandlersChange(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	sc := openScope(t.Context(), t, m, newClient(t, m))
	_, err := sc.CommitEnd(500)
	want(t, err, nil)
	want(t, note.Set(sc.Get(), "later"), nil)
	reply, err := sc.Leave(500)
	want(t, err, nil)
	if reply.SetCookie == "" || !reply.Private {
		t.Errorf("the reply is %+v, want a cookie", reply)
	}
	want(t, note.Set(sc.Get(), "latest"), nil) // The header has left.
	next := new(Scope)
	cookie, _, _ := strings.Cut(reply.SetCookie, ";")
	want(t, next.Open(t.Context(), nil, m, nil, cookie), nil)
	equal(t, "note", note.Get(next.Get()), "latest")
}

// A change that no commit follows is saved at once, and refused if it needs a cookie.
func TestChangesAfterTheMiddleware(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	want(t, commitHeader(sc), nil)
	want(t, sc.Close(), nil)
	s := sc.Get()
	want(t, note.Set(s, "late"), nil)
	increment(s)
	want(t, s.Login("ann"), ErrLate)
	c.request(func(s *Session) {
		equal(t, "note", note.Get(s), "late")
		equal(t, "visits", visits.Get(s), 2)
	})
}

// After a panic nothing is saved: a change of the page that answers it is refused.
func TestChangesAfterAPanic(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	c := newClient(t, m)
	c.request(set(t, 1))
	sc := openScope(t.Context(), t, m, c)
	increment(sc.Get())
	equal(t, "private", sc.Panicked().Private, true)
	if err := note.Set(sc.Get(), "sorry"); !errors.Is(err, errPanicked) {
		t.Errorf("Set returned %v, want that the handler has panicked", err)
	}
	reply, err := sc.Leave(500)
	want(t, err, nil)
	equal(t, "cookie", reply.SetCookie, "")
	want(t, sc.Close(), nil)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 1)
		equal(t, "note", note.Get(s), "")
	})
}

// After the deadline of the request no secret changes: whoever set the deadline may have answered without our cookie.
func TestNoSecretAfterTheDeadline(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.request(set(t, 1))
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, change := range map[string]func(s *Session) error{
		"login": func(s *Session) error { return s.Login("ann") },
		"renew": (*Session).Renew,
	} {
		sc := openScope(context.WithoutCancel(ctx), t, m, c)
		sc.Context = ctx
		want(t, change(sc.Get()), nil)
		increment(sc.Get())
		_, err := sc.CommitHeader()
		if !errors.Is(err, context.DeadlineExceeded) || StatusCode(err) != 503 {
			t.Errorf("%s: the commit returned %v, status %d", name, err, StatusCode(err))
		}
		c.request(func(s *Session) { equal(t, name+": visits", visits.Get(s), 1) }) // The cookie is as good as before.
	}
	sc := openScope(context.WithoutCancel(ctx), t, m, c)
	sc.Context = ctx
	increment(sc.Get()) // Values are saved, as after a disconnect.
	want(t, commitHeader(sc), nil)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
	equal(t, "event", hasKind(events.closeAndList(t, m), EventLate), true)
}

// An explicit commit that failed is not repeated for a response that says so, and is for one that does not.
func TestLeaveAfterAFailedCommit(t *testing.T) {
	t.Parallel()
	for status, saved := range map[int]int{503: 1, 404: 1, 200: 2, 303: 2} {
		store := newSpy()
		m := newTestManager(t, Options{Store: store})
		c := newClient(t, m)
		c.request(set(t, 1))
		sc := openScope(t.Context(), t, m, c)
		want(t, visits.Set(sc.Get(), 2), nil)
		store.failOn("save", errDown)
		if err := sc.Commit(func(*adapter.Reply) {}); !errors.Is(err, ErrStore) {
			t.Errorf("Commit returned %v, want ErrStore", err)
		}
		store.onCall(nil)
		reply, err := sc.Leave(status)
		want(t, err, nil)
		equal(t, "no-store", reply.NoStore, saved == 1)
		want(t, sc.Close(), nil)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), saved) })
	}
}

// A stream may use the session later, so its response counts as one that does, with a lazy manager, too.
func TestExpectUse(t *testing.T) {
	t.Parallel()
	for _, lazy := range []bool{false, true} {
		m := newTestManager(t, Options{Lazy: lazy})
		c := newClient(t, m)
		equal(t, "a visitor", replyOfStream(t, m, c).Private, false)
		c.request(set(t, 1))
		equal(t, "a session", replyOfStream(t, m, c).Private, true)
	}
}

func replyOfStream(t *testing.T, m *Manager, c *client) adapter.Reply {
	t.Helper()
	sc := openScope(t.Context(), t, m, c)
	sc.ExpectUse()
	reply, err := sc.Leave(200)
	want(t, err, nil)
	return reply
}

// Every request has a Scope, and most a Session, so their sizes are watched.
func TestSizes(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Session{}); size > 384 {
		t.Errorf("a Session takes %d bytes", size)
	}
	if size := unsafe.Sizeof(Scope{}); size > 80 {
		t.Errorf("a Scope takes %d bytes", size)
	}
}
