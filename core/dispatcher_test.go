package core

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
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
	c.request(set(t, 1))
	c.request(increment)
	c.request((*Session).Destroy)
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
		c.request(set(t, 1)) // one event, at which the hook now hangs
		synctest.Wait()
		for range eventQueue + 10 {
			c.request(func(*Session) {}) // one event each
		}
		close(release)
		synctest.Wait()
		c.request(read)
		var dropped uint64
		all := events.closeAndList(t, m)
		for _, e := range all {
			dropped += e.Dropped
		}
		equal(t, "dropped", dropped, 10)
		equal(t, "delivered", len(all), eventQueue+2)
	})
}

func TestCloseWithABlockedHook(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	m := newTestManager(t, Options{OnEvent: func(Event) { <-release }})
	newClient(t, m).request(set(t, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, m.Close(ctx), context.Canceled)
	close(release)
	want(t, m.Close(t.Context()), nil)
	want(t, m.Close(t.Context()), nil)
	want(t, newTestManager(t, Options{}).Close(ctx), nil) // without a hook there is nothing to wait for
}

// What the hook was too slow for is counted.
func TestStatsOfDroppedEvents(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	m := newTestManager(t, Options{OnEvent: func(Event) { <-block }})
	c := newClient(t, m)
	c.request(set(t, 1))
	for range eventQueue + 100 {
		c.load()
	}
	dropped := m.Stats().EventsDropped
	equal(t, "dropped, or one in hand", dropped == 100 || dropped == 101, true)
	equal(t, "loaded, all the same", m.Stats().Loaded, eventQueue+100)
	close(block)
}
