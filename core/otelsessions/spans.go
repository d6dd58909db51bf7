package otelsessions

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroom-go/sessions/core"
)

// The attributes that only spans have. The id is the public one, which authenticates nobody.
const (
	keySession = attribute.Key("session.id")
	keyUser    = attribute.Key("user.id")
)

// traceCall makes a span of a call of the store, as long as the call was.
func (t *Telemetry) traceCall(ctx context.Context, e *core.Event, operation string, result outcome) {
	if !traced(ctx) {
		return
	}
	attrs := t.describe(e, label{operation: operation, outcome: result})
	_, span := t.tracer.Start(ctx, "session store "+operation,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(e.Time.Add(-e.Took)), trace.WithAttributes(attrs...))
	if result.failure() {
		span.SetStatus(codes.Error, e.Err.Error())
	}
	span.End(trace.WithTimestamp(e.Time))
}

// mark makes a span without a length of an event that one wants to find in a trace.
func (t *Telemetry) mark(ctx context.Context, e *core.Event) {
	if !traced(ctx) || !marked(e.Kind) {
		return
	}
	_, span := t.tracer.Start(ctx, "session "+e.Kind.String(),
		trace.WithTimestamp(e.Time), trace.WithAttributes(t.describe(e, labelOf(e))...))
	if lossy(e.Kind) {
		span.SetStatus(codes.Error, reasonOf(e))
	}
	span.End(trace.WithTimestamp(e.Time))
}

// marked reports whether the kind changes who may do what, or loses something. What happens in every request, and what
// the calls of the store show, is not.
func marked(kind core.EventKind) bool {
	switch kind {
	case core.EventLogin, core.EventRenewed, core.EventDestroyed, core.EventRevoked, core.EventReused,
		core.EventLimitReached, core.EventRefused, core.EventExpired, core.EventGone:
		return true
	default:
		return lossy(kind)
	}
}

// lossy reports whether the kind says that a fault has lost data.
func lossy(kind core.EventKind) bool {
	return kind == core.EventUndecodable || kind == core.EventLost
}

func reasonOf(e *core.Event) string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// traced reports whether there is a trace to belong to.
func traced(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// describe returns the attributes of a span.
func (t *Telemetry) describe(e *core.Event, l label) []attribute.KeyValue {
	attrs := append(l.attributes(), t.common...)
	if e.SessionID != "" {
		attrs = append(attrs, keySession.String(e.SessionID))
	}
	if t.subjects && e.Subject != "" {
		attrs = append(attrs, keyUser.String(e.Subject))
	}
	return attrs
}
