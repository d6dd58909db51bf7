package core

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// observer receives everything that happens: it counts events, sends them to the hook and logs
// what an operator must see. It has two verbs: emit sends an event, and report also logs it.
type observer struct {
	*keyspace
	counters counters
	hook     *dispatcher // nil if there is no hook
	log      *slog.Logger
	contexts atomic.Pointer[[]adapter.Contexts] // nil if there are none
}

// know makes the observer ask c before it hands over a context.
func (o *observer) know(c adapter.Contexts) {
	for {
		known := o.contexts.Load()
		var more []adapter.Contexts
		if known != nil {
			more = slices.Clone(*known)
		}
		if slices.Contains(more, c) {
			return
		}
		more = append(more, c)
		if o.contexts.CompareAndSwap(known, &more) {
			return
		}
	}
}

// lasting returns what is left of ctx for who may look at it after the request, such as the hook.
func (o *observer) lasting(ctx context.Context) context.Context {
	if known := o.contexts.Load(); known != nil {
		for _, c := range *known {
			if ctx != nil {
				ctx = c.Lasting(ctx)
			}
		}
	}
	return ctx
}

// emit counts e and sends it to the hook.
func (o *observer) emit(e Event) {
	o.counters.add(e.Kind, e.SessionID)
	if o.hook != nil {
		e.Context = o.lasting(e.Context)
		e.Time = time.Now()
		o.hook.send(e)
	}
}

// emitAbout emits an event about a stored session. Because it is called in every request, it
// does not build the event if there is no hook.
func (o *observer) emitAbout(ctx context.Context, kind EventKind, snap *record.Snapshot) {
	if o.hook == nil {
		o.counters.add(kind, snap.Record.Key)
		return
	}
	o.emit(o.eventAbout(ctx, kind, snap))
}

// eventAbout returns an event about a stored session.
func (o *observer) eventAbout(ctx context.Context, kind EventKind, snap *record.Snapshot) Event {
	id, subject := o.idOf(snap.Record.Key), snap.Subject()
	actor := snap.Actor().Subject
	return Event{Kind: kind, SessionID: id, Subject: subject, Actor: actor, Context: ctx}
}

// report logs e and emits it.
func (o *observer) report(level slog.Level, e Event) {
	e.Context = o.lasting(e.Context) // A handler of the log may keep it.
	o.log.Log(e.Context, level, "sessions: "+e.Kind.String(), e.attrs()...)
	o.emit(e)
}

// warn is report for what a handler does to a session, which has no context.
func (o *observer) warn(e Event) {
	o.log.Warn("sessions: "+e.Kind.String(), e.attrs()...)
	o.emit(e)
}

func (o *observer) stats() Stats {
	s := o.counters.stats()
	if o.hook != nil {
		s.EventsDropped = o.hook.dropped.Load()
	}
	return s
}
