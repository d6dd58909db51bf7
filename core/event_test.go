package core

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// R7: a hook that panics each time is logged, and neither it nor the request that it was told of comes to harm.
func TestR7PanickingHook(t *testing.T) {
	t.Parallel()
	log, out := debugLog()
	calls := 0
	m := newTestManager(t, Options{Logger: log, OnEvent: func(Event) {
		calls++
		panic("hook says its-own-secret")
	}})
	c := newClient(t, m)
	c.visit(set(t, 1))
	c.visit(increment)
	c.visit((*Session).Destroy)
	want(t, m.Close(t.Context()), nil)
	equal(t, "calls", calls, 5)
	equal(t, "lines", strings.Count(out.String(), "OnEvent panicked"), 5)
	if strings.Contains(out.String(), "its-own-secret") {
		t.Error("the log repeats what the hook panicked with")
	}
}

// R7: a hook that blocks holds up nobody; what does not fit is counted and told with the next event.
func TestR7BlockingHook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events recorder
		release := make(chan struct{})
		m := newTestManager(t, Options{OnEvent: func(e Event) {
			<-release
			events.add(e)
		}})
		c := newClient(t, m)
		c.visit(set(t, 1)) // one event, at which the hook now hangs
		synctest.Wait()
		for range eventQueue + 10 {
			c.visit(func(*Session) {}) // one event each
		}
		close(release)
		synctest.Wait()
		c.visit(read)
		var dropped uint64
		all := events.after(t, m)
		for _, e := range all {
			dropped += e.Dropped
		}
		equal(t, "dropped", dropped, 10)
		equal(t, "delivered", len(all), eventQueue+2)
	})
}

func TestEventsComeInOrder(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.visit(set(t, 1))
	id := c.id()
	c.visit(increment)
	c.visit(func(s *Session) { want(t, s.Login("ann"), nil) })
	c.visit((*Session).Destroy)
	c.visit(read)
	all := events.after(t, m)
	equal(t, "events", kinds(all), "created loaded loaded committed loaded committed login loaded destroyed")
	for i, e := range all {
		equal(t, fmt.Sprintf("id of event %d", i), e.SessionID, id)
	}
	equal(t, "subject of the login", all[6].Subject, "ann")
	// Afterwards the manager still works; nobody is told.
	c.visit(set(t, 1))
	equal(t, "events after Close", len(events.after(t, m)), len(all))
}

func TestTouchEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events recorder
		m := newTestManager(t, Options{Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.visit(set(t, 1))
		time.Sleep(30 * time.Minute)
		c.visit(read)
		equal(t, "events", kinds(events.after(t, m)), "created loaded touched")
	})
}

func TestCloseWithABlockedHook(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	m := newTestManager(t, Options{OnEvent: func(Event) { <-release }})
	newClient(t, m).visit(set(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, m.Close(ctx), context.Canceled)
	close(release)
	want(t, m.Close(t.Context()), nil)
	want(t, m.Close(t.Context()), nil)
	want(t, newTestManager(t, Options{}).Close(ctx), nil) // without a hook there is nothing to wait for
}

func TestEventKindsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]EventKind{}
	for kind := EventCreated; kind < eventKinds; kind++ {
		name := kind.String()
		if _, twice := seen[name]; twice || name == "unknown" || name == "" {
			t.Errorf("kind %d is called %q", kind, name)
		}
		seen[name] = kind
	}
	equal(t, "zero", EventKind(0).String(), "unknown")
	equal(t, "beyond", EventKind(eventKinds).String(), "unknown")
}

// spellings returns the forms in which a secret might show.
func spellings(tk *ticket.Ticket) []string {
	raw := append(append([]byte{}, tk.ID[:]...), tk.Secret[:]...)
	list := strings.Trim(fmt.Sprintf("%d", tk.Secret[:]), "[]")
	return []string{
		textOf(tk), string(tk.Secret[:]), hex.EncodeToString(tk.Secret[:]), strings.ToUpper(hex.EncodeToString(tk.Secret[:])),
		base64.StdEncoding.EncodeToString(tk.Secret[:]), base64.RawURLEncoding.EncodeToString(tk.Secret[:]),
		base64.StdEncoding.EncodeToString(raw), list, strings.ReplaceAll(list, " ", ","), strings.ReplaceAll(list, " ", ", "),
		strings.Trim(fmt.Sprintf("%#v", tk.Secret[:])[7:], "{}"),
	}
}

// L1: everything that can be printed, logged or encoded, at debug level, after every operation, with every fault.
func TestL1NoSecretAnywhere(t *testing.T) {
	t.Parallel()
	const value = "value-that-is-nobodys-business"
	log, out := debugLog()
	var events recorder
	store := newTouchSpy()
	m := newTestManager(t, Options{Store: store, Logger: log, OnEvent: func(e Event) {
		events.add(e)
		out.printf("%v %+v %#v\n", e, e, e)
		log.Debug("event", "event", e)
		if e.Err != nil {
			out.printf("%v %+v\n", e.Err, e.Err)
		}
	}})
	c := newClient(t, m)
	var tickets []ticket.Ticket
	show := func(s *Session, err error) {
		out.printf("%v %+v %#v %s %q %x %d\n", s, s, s, s, s, s, s)
		out.printf("%v %+v %#v %v\n", []*Session{s}, map[string]any{"s": s}, struct{ S *Session }{s}, m)
		encoded, jsonErr := json.Marshal(map[string]any{"s": s, "err": err})
		out.printf("%s %v %v %+v %#v\n", encoded, jsonErr, err, err, err)
		log.Debug("session", "s", s, "err", err, "m", m)
	}
	request := func(handler func(s *Session)) {
		s := attach(m, c.cookie)
		err := s.load(t.Context())
		show(s, err)
		handler(s)
		show(s, nil)
		tickets = append(tickets, s.ticket)
		reply, err := s.finish(t.Context())
		show(s, err)
		tickets = append(tickets, s.ticket)
		c.keep(reply)
	}
	stale := func(handler func(s *Session)) func(s *Session) {
		return func(s *Session) {
			handler(s)
			c.with().visit(func(s *Session) { want(t, s.Login("ann"), nil) })
		}
	}
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request(func(s *Session) { want(t, s.Renew(), nil); show(s, nil) })
	request(func(s *Session) { want(t, s.Login("ann"), nil) })
	request(func(s *Session) { visits.Update(s, func(int) int { return 1 }) })
	request(func(s *Session) { show(s, s.Set("bad", math.NaN())) })
	request(func(s *Session) { show(s, s.Set("bad", value+strings.Repeat("x", DefaultMaxSize))) })
	request(func(s *Session) { Key[int]("note").Get(s) })
	for _, op := range []string{"load", "save", "delete"} {
		store.fail(op, errDown)
		request(func(s *Session) { show(s, note.Set(s, value+op)) })
		request((*Session).Destroy)
		store.hook(nil)
	}
	request(stale(func(s *Session) { want(t, note.Set(s, value+"!"), nil) }))
	c.cookie = "" // signed out by the login above
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request((*Session).Destroy)
	c.cookie = "session=" + strings.Repeat("A", 64)
	request(read)
	c.cookie = ""
	request(func(s *Session) { want(t, note.Set(s, value), nil) })
	request(func(s *Session) { want(t, s.Renew(), nil) })
	all := events.after(t, m)
	text := out.String()
	for _, kind := range []EventKind{EventCreated, EventLogin, EventRenewed, EventStoreFailed, EventGone, EventBadValue, EventDestroyed} {
		equal(t, kind.String()+" was driven", has(all, kind), true)
	}
	if strings.Contains(text, value) {
		t.Error("a value shows")
	}
	for i, tk := range tickets {
		if tk.Secret == (ticket.Secret{}) {
			continue
		}
		for form, spelling := range spellings(&tk) {
			if strings.Contains(text, spelling) {
				t.Errorf("secret %d shows in form %d", i, form)
			}
		}
	}
	if !strings.Contains(text, "session(0") {
		t.Error("the ids do not show either; the test is not testing")
	}
}

// A session prints as its id, whatever the verb, and encodes as nothing.
func TestSessionPrints(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 1))
	s := c.arrive()
	wanted := "session(" + c.id() + ")"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		if verb == "%p" {
			continue // an address
		}
		equal(t, verb, fmt.Sprintf(verb, s), wanted)
	}
	equal(t, "LogValue", s.LogValue().String(), wanted)
	encoded, err := json.Marshal(s) //nolint:staticcheck // That it encodes as nothing is the point.
	want(t, err, nil)
	equal(t, "JSON", string(encoded), "{}")
}

// Errors are wrapped once, begin in our name, and keep what the store said for errors.Is.
func TestErrorsSayTheOperation(t *testing.T) {
	t.Parallel()
	err := wrapStoreError("load", errDown)
	equal(t, "text", err.Error(), "sessions: store failed: load: connection refused")
	equal(t, "is both", errors.Is(err, ErrStore) && errors.Is(err, errDown), true)
}

// TestL1ScopePrints shows that a request's context, which ends up in logs, does not print the secret.
func TestL1ScopePrints(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 7))
	sc := new(Scope)
	want(t, sc.Open(t.Context(), nil, c.m, nil, c.cookie), nil)
	secret := c.ticketOf().Secret
	plain := strings.Trim(fmt.Sprintf("%d", secret[:]), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		printed := fmt.Sprintf(verb, sc)
		if strings.Contains(printed, plain) || strings.Contains(printed, fmt.Sprintf("%x", secret)) || len(printed) > 80 {
			t.Errorf("%s of a scope prints %q", verb, printed)
		}
	}
}
