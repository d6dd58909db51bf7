// Package otelsessions gives OpenTelemetry metrics and spans from the events of a manager of sessions.
//
// [New] makes the instruments, [Telemetry.Instrument] puts them into the options of a manager, and [Telemetry.Observe]
// adds, for those who want it, the number of live sessions:
//
//	t, err := otelsessions.New(otelsessions.Options{})
//	m, err := sessions.NewManager(t.Instrument(sessions.Options{Store: store}))
//	stop, err := t.Observe(ctx, m, 0)
//
// The options are those of every adapter, since they are all [core.Options]. Nothing of it runs on a request's goroutine:
// the manager tells of its events from one of its own. Close the manager before the providers are shut down, so that the
// last events are in.
//
// # Metrics
//
//	session.events           counter    what happened, by session.event and, for "revoked", session.reason
//	session.store.duration   histogram  seconds of each call of the store, by session.store.operation and session.store.outcome
//	session.store.conflicts  counter    writes that the store refused because another request was faster, by session.store.operation
//	session.dropped_events   counter    events that were not counted because the hook was too slow
//	session.live             gauge      sessions in the store, with Observe
//
// Attributes have a fixed set of values, some eighty for the operations and outcomes of the store together; no session,
// user or error text is among them. Recordings carry the request's context, so that exemplars lead to traces.
//
// # Spans
//
// Each call of the store that belongs to a trace is a client span "session store load", "session store save" and so on,
// below the span that was in the request's context when it came to the sessions; mount the tracing middleware in front of
// them. What changes who may do what, or loses something, is a span without a length, such as "session login" or
// "session revoked". The request's own span has often ended when the manager tells of its events, so they cannot be span
// events on it. A call outside of every trace makes no span: it is not worth a trace of its own.
package otelsessions
