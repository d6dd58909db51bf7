package core

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind says what an [Event] reports.
type EventKind uint8

// The kinds of events.
const (
	// EventCreated: a session was stored for the first time.
	EventCreated EventKind = iota + 1
	// EventLoaded: a request arrived with a valid token.
	EventLoaded
	// EventCommitted: changes to a stored session were saved.
	EventCommitted
	// EventMerged: changes were saved after they had been merged with those of another request.
	EventMerged
	// EventTouched: the session's life was extended without a change.
	EventTouched
	// EventRenewed: the session's secret was changed by Renew.
	EventRenewed
	// EventLogin: a subject signed in and the session's secret was changed.
	EventLogin
	// EventDestroyed: the session was ended by Destroy.
	EventDestroyed
	// EventGone: the session was ended or signed in elsewhere while the request ran, and what the request changed was
	// dropped.
	EventGone
	// EventExpired: a token arrived for a record whose time is over by the policy in force.
	EventExpired
	// EventRefused: a token arrived whose id is known but whose secret is not the session's, or under another cookie's
	// name.
	EventRefused
	// EventUndecodable: a record is damaged or of an unknown format, and counts as absent.
	EventUndecodable
	// EventBadValue: the value under Event.Key does not decode into the type it was asked for, and reads as absent.
	EventBadValue
	// EventLate: a change needed a cookie after the response had begun, and was refused.
	EventLate
	// EventLost: changes made after the response had begun could not be saved.
	EventLost
	// EventStoreFailed: the store did not do what it was asked.
	EventStoreFailed
	// EventReused: a token arrived whose secret was the session's until it was renewed, and whose grace is over. Two
	// parties hold it: the user's browser, and somebody who copied it before. See [Options.RevokeOnReuse].
	EventReused
	// EventRevoked: the session was ended from outside, for Event.Reason.
	EventRevoked
	// EventLimitReached: a subject signed in who had [Options.MaxSessions] sessions already.
	EventLimitReached
	// EventStoreCalled: a call of the store has returned. Event.Operation says which, Event.Took how long it took, and
	// Event.Err how it ended, [ErrNotFound] and [ErrConflict] among the answers. Only with [Options.StoreEvents].
	EventStoreCalled

	eventKinds = iota + 1
)

// The reasons in Event.Reason.
const (
	// ReasonRevoked: [Manager.Revoke] or [Manager.End].
	ReasonRevoked = "revoked"
	// ReasonRevokedAll: [Manager.RevokeAll] or [Manager.RevokeOthers].
	ReasonRevokedAll = "all of the subject revoked"
	// ReasonRevokedEverything: [Manager.RevokeEverything].
	ReasonRevokedEverything = "everything revoked"
	// ReasonLimit: [Options.MaxSessions].
	ReasonLimit = "limit of sessions reached"
	// ReasonReuse: [Options.RevokeOnReuse].
	ReasonReuse = "secret used again"
)

// String returns the kind in words.
func (k EventKind) String() string {
	names := [...]string{
		"unknown", "created", "loaded", "committed", "merged", "touched", "renewed", "login", "destroyed", "gone",
		"expired", "refused", "undecodable", "bad value", "late", "lost", "store failed", "secret reused", "revoked",
		"limit reached", "store called",
	}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// Event tells what happened to a session. It never holds a token, a secret or a value.
type Event struct {
	Kind      EventKind
	Time      time.Time // when it happened
	SessionID string    // "" while the session has none
	Subject   string    // the signed-in user, "" while anonymous
	Key       string    // for EventBadValue: which
	Reason    string    // for EventRevoked: one of the Reason constants
	Err       error     // why, where there is a why
	Dropped   uint64    // how many events before this one were dropped because the hook blocked

	Operation string        // for EventStoreCalled and EventStoreFailed: "load", "save", "touch", "delete", "list", "list subject", "count" or "purge"
	Took      time.Duration // for EventStoreCalled

	// Context is that of the request, nil where there is none, for the values in it, such as a trace. It may have ended.
	Context context.Context //nolint:containedctx // an event is told after the call that has the context
}

// eventQueue is how many events may wait for the hook.
const eventQueue = 1024

// dispatcher hands events to the hook from a goroutine of its own, so that the hook's time and faults are not a request's.
type dispatcher struct {
	hook    func(Event)
	log     *slog.Logger
	queue   chan Event
	dropped atomic.Uint64 // since the last event delivered
	lost    atomic.Uint64 // in all
	quit    chan struct{}
	stop    sync.Once
	done    chan struct{}
}

func newDispatcher(hook func(Event), log *slog.Logger) *dispatcher {
	d := &dispatcher{
		hook: hook, log: log,
		queue: make(chan Event, eventQueue), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go d.run()
	return d
}

// send queues e, or counts it as dropped.
func (d *dispatcher) send(e Event) {
	select {
	case d.queue <- e:
	default:
		d.dropped.Add(1)
		d.lost.Add(1)
	}
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

// drain delivers what was queued before the manager was closed.
func (d *dispatcher) drain() {
	for {
		select {
		case e := <-d.queue:
			d.deliver(e)
		default:
			return
		}
	}
}

func (d *dispatcher) deliver(e Event) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("sessions: OnEvent panicked", "event", e.Kind.String(), "session", e.SessionID, "panic", fmt.Sprintf("%T", r))
		}
	}()
	e.Dropped = d.dropped.Swap(0)
	d.hook(e)
}

// close delivers what is queued and ends the goroutine, or returns the context's error if the hook does not let it.
func (d *dispatcher) close(ctx context.Context) error {
	d.stop.Do(func() { close(d.quit) })
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// emit counts e and sends it to the hook, if there is one.
func (m *Manager) emit(ctx context.Context, e Event) {
	e.Context = ctx
	m.send(e)
}

func (m *Manager) send(e Event) {
	m.tally.add(e.Kind, e.SessionID)
	if m.events != nil {
		e.Time = time.Now()
		m.events.send(e)
	}
}

// tell is emit for what happens in every request: without a hook it only counts.
func (m *Manager) tell(ctx context.Context, kind EventKind, snap *snapshot) {
	if m.events == nil {
		m.tally.add(kind, snap.rec.Key)
		return
	}
	m.emit(ctx, m.eventOf(kind, snap))
}

// eventOf returns an event about a stored session.
func (m *Manager) eventOf(kind EventKind, snap *snapshot) Event {
	return Event{Kind: kind, SessionID: m.idOf(snap.rec.Key), Subject: snap.subject()}
}

// report logs what an operator must see and sends it to the hook.
func (m *Manager) report(ctx context.Context, level slog.Level, e Event) {
	m.log.Log(ctx, level, "sessions: "+e.Kind.String(), e.attrs()...)
	m.emit(ctx, e)
}

// warn reports where there is no context: what a handler does to a session has none.
func (m *Manager) warn(e Event) {
	m.log.Warn("sessions: "+e.Kind.String(), e.attrs()...)
	m.send(e)
}

// attrs returns what the log shows of an event.
func (e *Event) attrs() []any {
	attrs := append(make([]any, 0, 3), slog.String("session", e.SessionID))
	if e.Key != "" {
		attrs = append(attrs, slog.String("key", e.Key))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.Any("error", e.Err))
	}
	return attrs
}
