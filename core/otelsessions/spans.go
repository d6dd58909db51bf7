package otelsessions

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroom-go/sessions/core"
)

// The attributes that only spans have. The session id is public and authenticates nobody.
const (
	keySession = attribute.Key("session.id")
	keyUser    = attribute.Key("user.id")
)

// traceStoreCall records a call of the store as a span with the duration of the call.
func (t *Telemetry) traceStoreCall(
	ctx context.Context, e *core.Event, operation string, result outcome,
) {
	if !inTrace(ctx) {
		return
	}
	attrs := t.spanAttributes(e, label{operation: operation, outcome: result})
	_, span := t.tracer.Start(ctx, "session store "+operation,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(e.Time.Add(-e.Took)),
		trace.WithAttributes(attrs...))
	if result.failure() {
		span.SetStatus(codes.Error, e.Err.Error())
	}
	span.End(trace.WithTimestamp(e.Time))
}

// traceEvent records an event as a span of zero duration, if its kind has spans.
func (t *Telemetry) traceEvent(ctx context.Context, e *core.Event) {
	if !inTrace(ctx) || !hasSpan(e.Kind) {
		return
	}
	_, span := t.tracer.Start(ctx, "session "+e.Kind.String(),
		trace.WithTimestamp(e.Time),
		trace.WithAttributes(t.spanAttributes(e, labelOf(e))...))
	if losesData(e.Kind) {
		span.SetStatus(codes.Error, errorText(e))
	}
	span.End(trace.WithTimestamp(e.Time))
}

// hasSpan reports whether events of the kind change what a user may do, or report a loss of
// data. Events of every request, and those that the store calls show already, have no spans.
func hasSpan(kind core.EventKind) bool {
	switch kind {
	case core.EventLogin, core.EventRenewed, core.EventDestroyed, core.EventRevoked,
		core.EventReused, core.EventLimitReached, core.EventRefused, core.EventExpired,
		core.EventGone, core.EventSeveral, core.EventCrossSite:
		return true
	default:
		return losesData(kind)
	}
}

// losesData reports whether events of the kind report that data were lost by a fault.
func losesData(kind core.EventKind) bool {
	return kind == core.EventUndecodable || kind == core.EventLost
}

func errorText(e *core.Event) string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// inTrace reports whether the context belongs to a trace.
func inTrace(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// spanAttributes returns the attributes of the span of an event.
func (t *Telemetry) spanAttributes(e *core.Event, l label) []attribute.KeyValue {
	attrs := append(l.attributes(), t.common...)
	if e.SessionID != "" {
		attrs = append(attrs, keySession.String(e.SessionID))
	}
	if t.subjects && e.Subject != "" {
		attrs = append(attrs, keyUser.String(e.Subject))
	}
	return attrs
}
