package otelsessions

import (
	"context"
	"math"

	"github.com/cloakroom-go/sessions/core"
)

// record records an event as metrics and spans.
func (t *Telemetry) record(e *core.Event) {
	ctx := contextOf(e)
	if e.Dropped > 0 {
		t.dropped.Add(ctx, int64(min(e.Dropped, math.MaxInt64)), t.series[label{}])
	}
	if e.Kind == core.EventStoreCalled {
		t.recordStoreCall(ctx, e)
		return
	}
	t.events.Add(ctx, 1, t.series[labelOf(e)])
	t.traceEvent(ctx, e)
}

// recordStoreCall records a call of the store as metrics and a span.
func (t *Telemetry) recordStoreCall(ctx context.Context, e *core.Event) {
	operation := knownOrOther(operations(), e.Operation)
	result := outcomeOf(e.Err)
	t.duration.Record(ctx, e.Took.Seconds(),
		t.series[label{operation: operation, outcome: result}])
	if result == outcomeConflict {
		t.conflicts.Add(ctx, 1, t.series[label{operation: operation}])
	}
	t.traceStoreCall(ctx, e, operation, result)
}

// contextOf returns the context of an event without its cancellation, because the request has
// usually ended.
func contextOf(e *core.Event) context.Context {
	if e.Context == nil {
		return context.Background()
	}
	return context.WithoutCancel(e.Context)
}
