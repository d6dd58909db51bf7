package otelsessions

import (
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core"
)

// Instrument returns the options of a manager with this telemetry added. An OnEvent in o still
// receives the same events, after the telemetry: calls of the store are among them only if
// StoreEvents is set in o.
func (t *Telemetry) Instrument(o core.Options) core.Options {
	h := &hook{telemetry: t, next: o.OnEvent, storeEvents: o.StoreEvents}
	o.OnEvent, o.StoreEvents = h.handle, true
	return o
}

// hook records events and passes them on to the hook of the application.
type hook struct {
	telemetry   *Telemetry
	next        func(core.Event) // may be nil
	storeEvents bool             // next receives calls of the store
	dropped     atomic.Uint64    // the Event.Dropped of events that next does not receive
}

func (h *hook) handle(e core.Event) {
	defer h.forward(e) // even if an exporter panics
	h.telemetry.record(&e)
}

// forward passes the event on to the hook of the application if it would receive it without
// the telemetry.
func (h *hook) forward(e core.Event) {
	if h.next == nil {
		return
	}
	if e.Kind == core.EventStoreCalled && !h.storeEvents {
		h.dropped.Add(e.Dropped)
		return
	}
	e.Dropped += h.dropped.Swap(0)
	h.next(e)
}
