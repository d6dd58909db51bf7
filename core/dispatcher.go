package core

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// eventQueue is how many events may wait for the hook. As many again may wait that are rare, so
// that requests push no login and no revocation out, however many there are.
const eventQueue = 1024

// dispatcher calls the hook from its own goroutine, so that a slow or panicking hook does not
// affect requests.
type dispatcher struct {
	hook       func(Event)
	log        *slog.Logger
	queue      chan Event
	unreported atomic.Uint64 // events dropped since the last delivery
	dropped    atomic.Uint64 // events dropped in total
	quit       chan struct{}
	stop       sync.Once
	done       chan struct{}
}

func newDispatcher(hook func(Event), log *slog.Logger) *dispatcher {
	d := &dispatcher{
		hook: hook, log: log,
		queue: make(chan Event, 2*eventQueue),
		quit:  make(chan struct{}), done: make(chan struct{}),
	}
	go d.run()
	return d
}

// rare reports whether only a signed-in user or an operator can cause the event.
func (e *Event) rare() bool {
	switch e.Kind {
	case EventLogin, EventDestroyed, EventRevoked, EventReused, EventLimitReached, EventLost:
		return e.Subject != "" || e.Kind == EventRevoked
	default:
		return false
	}
}

// send queues e, or drops and counts it if there is no room for its kind.
func (d *dispatcher) send(e Event) {
	if len(d.queue) < eventQueue || e.rare() {
		select {
		case d.queue <- e:
			return
		default:
		}
	}
	d.unreported.Add(1)
	d.dropped.Add(1)
}

func (d *dispatcher) run() {
	defer close(d.done)
	for {
		select {
		case e := <-d.queue:
			d.deliver(e)
		case <-d.quit:
			d.drain()
			return
		}
	}
}

// drain delivers the events that were queued before the manager was closed.
func (d *dispatcher) drain() {
	for range len(d.queue) {
		d.deliver(<-d.queue)
	}
}

func (d *dispatcher) deliver(e Event) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("sessions: OnEvent panicked",
				"event", e.Kind.String(), "session", e.SessionID, "panic", fmt.Sprintf("%T", r))
		}
	}()
	e.Dropped = d.unreported.Swap(0)
	d.hook(e)
}

// close delivers the queued events and ends the goroutine. It returns the context's error if
// the hook blocks.
func (d *dispatcher) close(ctx context.Context) error {
	d.stop.Do(func() { close(d.quit) })
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
