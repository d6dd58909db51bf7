package core

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

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

func TestEventsComeInOrder(t *testing.T) {
	t.Parallel()
	var events recorder
	m := newTestManager(t, Options{OnEvent: events.add})
	c := newClient(t, m)
	c.request(set(t, 1))
	id := c.id()
	c.request(increment)
	c.request(func(s *Session) { want(t, s.Login("ann"), nil) })
	c.request((*Session).Destroy)
	c.request(read)
	all := events.closeAndList(t, m)
	equal(t, "events", kinds(all), "created loaded loaded committed loaded committed login loaded destroyed")
	for i, e := range all {
		equal(t, fmt.Sprintf("id of event %d", i), e.SessionID, id)
	}
	equal(t, "subject of the login", all[6].Subject, "ann")
	// After Close the manager still works, and reports nothing.
	c.request(set(t, 1))
	equal(t, "events after Close", len(events.closeAndList(t, m)), len(all))
}

func TestTouchEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events recorder
		m := newTestManager(t, Options{Expiry: time.Hour, OnEvent: events.add})
		c := newClient(t, m)
		c.request(set(t, 1))
		time.Sleep(30 * time.Minute)
		c.request(read)
		equal(t, "events", kinds(events.closeAndList(t, m)), "created loaded touched")
	})
}

// An event has the time and the values of the request's context, even if the client disconnects
// before the save.
func TestEventFields(t *testing.T) {
	t.Parallel()
	eachStoreInBubble(t, func(t *testing.T, store Store) {
		t.Helper()
		seen := new(recorder)
		m := newTestManager(t, Options{Store: store, OnEvent: seen.add})
		ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), contextKey{}, "trace"))
		s := unloadedSession(m)
		want(t, s.load(ctx), nil)
		want(t, s.Login("ann"), nil)
		want(t, visits.Set(s, 1), nil)
		hangUp()
		begun := time.Now()
		_, err := s.finish(ctx)
		want(t, err, nil)
		time.Sleep(time.Minute)
		want(t, m.Revoke(ctx, "ann", s.ID()), nil)
		want(t, visits.Set(s, 2), nil)
		want(t, s.Save(ctx), ErrGone)
		want(t, s.Save(ctx), ErrGone)
		want(t, s.Login("bob"), ErrGone)
		events := seen.closeAndList(t, m)
		equal(t, "kinds", kinds(events), "created login revoked gone") // One, though it was refused thrice.
		for i, at := range []time.Time{begun, begun, begun.Add(time.Minute), begun.Add(time.Minute)} {
			e := events[i]
			kind := e.Kind.String()
			equal(t, kind+": time", e.Time, at)
			equal(t, kind+": value of the context", e.Context.Value(contextKey{}) == "trace", true)
			equal(t, kind+": session", e.SessionID, s.ID())
			equal(t, kind+": subject", e.Subject, "ann")
			reason := map[EventKind]Reason{EventRevoked: ReasonRevoked, EventGone: ReasonRevoked}[e.Kind]
			equal(t, kind+": reason", e.Reason, reason)
		}
	})
}
