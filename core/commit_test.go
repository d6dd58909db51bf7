package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

func TestLateChanges(t *testing.T) {
	t.Parallel()
	var events recorder
	store := newSpy()
	m := newTestManager(t, Options{Store: store, OnEvent: events.add})
	// Changes to a stored session are saved when the request ends.
	c := newClient(t, m)
	c.request(set(t, 1))
	s := c.load()
	c.respond(s)
	increment(s)
	want(t, note.Set(s, "late"), nil)
	want(t, s.Renew(), ErrLate)
	want(t, s.Login("ann"), ErrLate)
	want(t, s.SetExpiry(time.Hour), ErrLate)
	reply, err := s.finish(t.Context())
	want(t, err, nil)
	wantNoReply(t, "second Finish", reply)
	c.request(func(s *Session) {
		equal(t, "visits", visits.Get(s), 2)
		equal(t, "note", note.Get(s), "late")
	})
	// A change that needs a cookie is refused, and nothing is stored.
	store.reset()
	for _, end := range []func(s *Session){
		func(s *Session) { newClient(t, m).respond(s) },
		(*Session).sendHeaders,
	} {
		s = newClient(t, m).load()
		end(s)
		want(t, visits.Set(s, 1), ErrLate)
		want(t, s.Login("ann"), ErrLate)
		want(t, s.Save(t.Context()), nil) // There is nothing to save.
		increment(s)
		want(t, s.Save(t.Context()), ErrLate) // Update cannot return the error.
	}
	equal(t, "calls", store.count(""), 0)
	equal(t, "event", hasKind(events.closeAndList(t, m), EventLate), true)
}

// A new session that is not saved when the headers are sent is refused, because no cookie could
// reach it.
func TestHeadersSentAfterSet(t *testing.T) {
	t.Parallel()
	store := newSpy()
	s := newClient(t, newTestManager(t, Options{Store: store})).load()
	want(t, visits.Set(s, 1), nil)
	s.sendHeaders()
	reply, err := s.finish(t.Context())
	want(t, err, ErrLate)
	wantNoReply(t, "reply", reply)
	equal(t, "calls", store.count(""), 0)
}

// One goroutine saves while another begins the response: the cookie of the new session is sent,
// or no session is stored.
func TestNoRecordWithoutItsCookie(t *testing.T) {
	t.Parallel()
	for range 500 {
		store := newSpy()
		c := newClient(t, newTestManager(t, Options{Store: store}))
		s := c.load()
		var group sync.WaitGroup
		group.Go(func() {
			_ = visits.Set(s, 1)
			_ = s.Save(t.Context())
		})
		reply, err := s.finish(t.Context())
		group.Wait()
		if err != nil {
			want(t, err, ErrLate)
		}
		if store.recordCount() == 1 && reply.SetCookie == "" {
			t.Fatal("a record that no cookie can reach")
		}
	}
}

func TestSaveTwiceSetsTheCookieOnce(t *testing.T) {
	t.Parallel()
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	s := c.load()
	increment(s)
	want(t, s.Save(t.Context()), nil)
	increment(s)
	want(t, s.Save(t.Context()), nil)
	want(t, s.Save(t.Context()), nil)
	equal(t, "saves", store.count("save"), 2)
	early, err := s.commit(t.Context())
	want(t, err, nil)
	if early.SetCookie == "" {
		t.Error("no cookie")
	}
	c.keepCookie(early)
	equal(t, "Set-Cookie again", c.respond(s).SetCookie, "")
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

func TestSaveReturnsErrGone(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	s := c.load()
	c.respond(s)
	c.clone().request((*Session).Destroy)
	want(t, s.Save(t.Context()), nil) // There is nothing to save, so nothing shows that it has ended.
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
	reply, err := s.commit(t.Context())
	wantNoReply(t, "Commit", reply)
	if err != nil {
		want(t, err, ErrGone)
	}
	// A dropped update is reported each time, because Update has no error to return.
	increment(s)
	want(t, s.Save(t.Context()), ErrGone)
	want(t, visits.Set(s, 5), ErrGone)
}

func TestLostLateChangeIsReported(t *testing.T) {
	t.Parallel()
	seen := make(chan Event, 16)
	m, err := NewManager(Options{
		MaxSize: 300,
		OnEvent: func(e Event) {
			if e.Kind == EventLost {
				seen <- e
			}
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := unloadedSession(m)
	ok := errors.Join(s.load(t.Context()), s.Set("first", 1))
	_, err = s.finish(t.Context())
	if err = errors.Join(ok, err); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := s.Set(strconv.Itoa(i), strings.Repeat("x", 80)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.finish(t.Context()); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("late Finish = %v, want ErrTooLarge", err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := <-seen; e.SessionID != s.ID() || !errors.Is(e.Err, ErrTooLarge) {
		t.Errorf("event %+v, want the session's id and ErrTooLarge: a late change that is lost has to reach the operator", e)
	}
}

// O4: the save is made although the client has disconnected. The store sees the values of the
// request's context.
func TestO4Disconnect(t *testing.T) {
	t.Parallel()
	type traceKey struct{}
	store := newSpy()
	c := newClient(t, newTestManager(t, Options{Store: store}))
	c.request(set(t, 1))
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), traceKey{}, "trace"))
	s := c.load()
	cancel()
	store.onCall(func(ctx context.Context, op, _ string) error {
		if op == "save" {
			equal(t, "trace", ctx.Value(traceKey{}), any("trace"))
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("the save has no deadline")
			}
		}
		return ctx.Err()
	})
	increment(s)
	_, err := s.finish(ctx)
	want(t, err, nil)
	store.onCall(nil)
	c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 2) })
}

// Two goroutines of a request and another request increment a counter at random times. No
// increment is lost.
func TestRandomInterleavings(t *testing.T) {
	t.Parallel()
	for range 50 {
		store := newSpy()
		m := newTestManager(t, Options{Store: store, StoreTimeout: time.Minute})
		c := newClient(t, m)
		c.request(set(t, 0))
		s, other := c.load(), c.clone()
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				for range 5 {
					increment(s)
					want(t, s.Save(t.Context()), nil)
				}
			})
		}
		group.Go(func() {
			for range 5 {
				other.request(increment)
			}
		})
		group.Wait()
		c.respond(s)
		c.request(func(s *Session) { equal(t, "visits", visits.Get(s), 15) })
	}
}

// H1: each method that reads or changes the session makes the response private.
func TestH1EveryAccessorIsUse(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]func(s *Session){
		"ID": func(s *Session) { s.ID() }, "IsNew": func(s *Session) { s.IsNew() }, "Subject": func(s *Session) { s.Subject() },
		"Created": func(s *Session) { s.Created() }, "LastSeen": func(s *Session) { s.LastSeen() },
		"Expires": func(s *Session) { s.Expires() }, "Keys": func(s *Session) { s.Keys() }, "Len": func(s *Session) { s.Len() },
		"Value": func(s *Session) { s.Get("x", new(int)) }, "Get": read, "Take": func(s *Session) { visits.Take(s) },
		"Set": set(t, 1), "Update": increment, "Delete": func(s *Session) { _ = visits.Delete(s) },
		"Clear": func(s *Session) { _ = s.Clear() }, "Destroy": (*Session).Destroy,
		"Renew": func(s *Session) { _ = s.Renew() }, "Login": func(s *Session) { _ = s.Login("ann") },
	} {
		equal(t, name+" on a new session", newClient(t, newTestManager(t, Options{})).request(look).Private, true)
		c := newClient(t, newTestManager(t, Options{}))
		c.request(set(t, 1))
		equal(t, name, c.request(look).Private, true)
	}
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	wantNoReply(t, "not looking", c.request(func(s *Session) { _ = s.String() }))
}

// Replies share no memory that a header keeps.
func TestRepliesShareNoHeader(t *testing.T) {
	t.Parallel()
	s := unloadedSession(newTestManager(t, Options{}))
	want(t, s.load(t.Context()), nil)
	read(s)
	headers := make([]map[string][]string, 3)
	for i := range headers {
		headers[i] = map[string][]string{"Cache-Control": {fmt.Sprint("max-age=", i)}, "Vary": {fmt.Sprint("X-", i)}}
		reply, err := s.commit(t.Context())
		want(t, err, nil)
		reply.Apply(headers[i])
	}
	reply := adapter.Reply{Private: true}
	for i := range 2 {
		headers = append(headers, map[string][]string{"Cache-Control": {fmt.Sprint("max-age=", 3+i)}, "Vary": {fmt.Sprint("X-", 3+i)}})
		reply.Apply(headers[3+i])
	}
	for i, header := range headers {
		equal(t, "Cache-Control", header["Cache-Control"][0], fmt.Sprint("private, max-age=", i))
		equal(t, "Vary", header["Vary"][0], fmt.Sprintf("X-%d, Cookie", i))
	}
}

// H1: an early commit has set the cookie, so the response is not stored by caches, whatever the
// application sets afterwards.
func TestH1CookieOfAnEarlierCommit(t *testing.T) {
	t.Parallel()
	m, err := NewManager(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := unloadedSession(m)
	early, err := s.commit(t.Context())
	if err := errors.Join(err, s.load(t.Context()), s.Set("n", 1)); err != nil {
		t.Fatal(err)
	}
	header := map[string][]string{}
	early.Apply(header)
	committed, err := s.commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	committed.Apply(header)
	header["Cache-Control"] = []string{"public, max-age=60"}
	last, err := s.finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last.Apply(header)
	if len(header["Set-Cookie"]) != 1 {
		t.Fatalf("Set-Cookie: %q, want one", header["Set-Cookie"])
	}
	equal(t, "Cache-Control of a response that sets the cookie", header["Cache-Control"][0], "no-store")
}
