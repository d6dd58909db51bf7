// Package otelsessions makes OpenTelemetry metrics and spans from the events of a session
// manager.
//
//	t, err := otelsessions.New(otelsessions.Options{})
//	...
//	m, err := sessions.NewManager(t.Instrument(sessions.Options{Store: store}))
//	...
//	stop, err := t.Observe(ctx, m, 0) // optional
//
// [New] creates the instruments. [Telemetry.Instrument] adds the telemetry to the options of a
// manager; they are those of every adapter, since all of them are [core.Options].
// [Telemetry.Observe] adds a gauge of the sessions in the store.
//
// Metrics and spans are made on the goroutine on which the manager delivers its events, so no
// request waits for them. If an exporter blocks that goroutine, events are dropped and
// session.dropped_events counts them. Close the manager before you shut down the providers, so
// that the last events are recorded.
//
// # Metrics
//
//   - session.events counts events, by session.event and, for "revoked", session.reason.
//   - session.store.duration is a histogram of the seconds that store calls take, by
//     session.store.operation and session.store.outcome.
//   - session.store.conflicts counts writes that the store refused because another request had
//     changed the session, by session.store.operation.
//   - session.dropped_events counts the events that are missing in the other metrics because
//     the hook was too slow.
//   - session.live is a gauge of the sessions in the store, with Observe.
//
// Each attribute has a fixed set of values; operations and outcomes make about eighty
// combinations. No session, user or error text is among the values. Measurements carry the
// context of the request, so that exemplars lead to its trace.
//
// # Spans
//
// Each store call within a trace becomes a client span, such as "session store load" or
// "session store save". Its parent is the span in the request's context at the time when the
// request reached the sessions, so mount the tracing middleware before them.
//
// An event that changes what a user may do, or that reports a loss of data, becomes a span of
// zero duration, such as "session login" or "session revoked". It is not a span event of the
// request's span, which has usually ended when the manager delivers the event.
//
// Outside of a trace there are no spans.
package otelsessions
