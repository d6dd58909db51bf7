package core

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// R7: a panic of the hook is logged and does not affect the request.
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

// R7: a hook that blocks delays no request. Events that do not fit into the queue are counted,
// and the next event reports their number.
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
		c.request(set(t, 1)) // The hook blocks at this event.
		synctest.Wait()
		for range eventQueue + 10 {
			c.request(func(*Session) {}) // Each is one event.
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
	want(t, newTestManager(t, Options{}).Close(ctx), nil) // Without a hook there is nothing to wait for.
}

// However many requests there are, the hook is told of each login, logout and revocation.
func TestRareEventsAreNotPushedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := map[EventKind]int{}
		dropped := uint64(0)
		m := newTestManager(t, Options{OnEvent: func(e Event) {
			time.Sleep(time.Millisecond)
			seen[e.Kind]++
			dropped += e.Dropped
		}})
		visitor := newClient(t, m)
		visitor.request(set(t, 1))
		const users = 100
		for range users {
			c := newSignedIn(t, m, "ann")
			for range 50 {
				visitor.request(increment)
			}
			c.request((*Session).Destroy)
		}
		newSignedIn(t, m, "ann")
		_, err := m.RevokeAll(t.Context(), "ann")
		want(t, err, nil)
		want(t, m.Close(t.Context()), nil)
		equal(t, "logins", seen[EventLogin], users+1)
		equal(t, "logouts", seen[EventDestroyed], users)
		equal(t, "revocations", seen[EventRevoked], 1)
		equal(t, "some were dropped", dropped > 0, true)
	})
}

// Visitors do not push logins out either, whatever they do.
func TestVisitorsPushNoLoginOut(t *testing.T) {
	t.Parallel()
	block, logins := make(chan struct{}), 0
	m := newTestManager(t, Options{OnEvent: func(e Event) {
		<-block
		if e.Kind == EventLogin {
			logins++
		}
	}})
	for range 2 * eventQueue {
		c := newClient(t, m)
		c.request(set(t, 1))
		c.request((*Session).Destroy)
	}
	newSignedIn(t, m, "ann")
	close(block)
	want(t, m.Close(t.Context()), nil)
	equal(t, "logins", logins, 1)
}

// Close delivers what waits, and not what comes meanwhile.
func TestCloseUnderTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c *client
		m := newTestManager(t, Options{OnEvent: func(Event) {
			if c != nil {
				c.load() // The hook itself causes the next event.
			}
		}})
		c = newClient(t, m)
		c.request(set(t, 1))
		c.load()
		want(t, m.Close(t.Context()), nil)
	})
}

// Events that the hook was too slow for are counted.
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
