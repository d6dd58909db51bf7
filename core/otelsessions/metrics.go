package otelsessions

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/cloakroom-go/sessions/core"
)

// The attributes of metrics; spans have them too.
const (
	keyManager   = attribute.Key("session.manager")
	keyEvent     = attribute.Key("session.event")
	keyReason    = attribute.Key("session.reason")
	keyOperation = attribute.Key("session.store.operation")
	keyOutcome   = attribute.Key("session.store.outcome")
)

// other stands for what this version does not know, so that no metric grows an attribute value from outside.
const other = "other"

// record makes metrics and spans of an event.
func (t *Telemetry) record(e *core.Event) {
	ctx := contextOf(e)
	if e.Dropped > 0 {
		t.dropped.Add(ctx, int64(min(e.Dropped, math.MaxInt64)), t.sets[label{}])
	}
	if e.Kind == core.EventStoreCalled {
		t.recordCall(ctx, e)
		return
	}
	t.events.Add(ctx, 1, t.sets[labelOf(e)])
	t.mark(ctx, e)
}

// recordCall makes metrics and a span of a call of the store.
func (t *Telemetry) recordCall(ctx context.Context, e *core.Event) {
	operation := known(operations(), e.Operation)
	result := outcomeOf(e.Err)
	t.duration.Record(ctx, e.Took.Seconds(), t.sets[label{operation: operation, outcome: result}])
	if result == conflict {
		t.conflicts.Add(ctx, 1, t.sets[label{operation: operation}])
	}
	t.traceCall(ctx, e, operation, result)
}

// contextOf returns the context that an event came with. The request is over as a rule, and nothing that is recorded of
// it is to be cut short by that.
func contextOf(e *core.Event) context.Context {
	if e.Context == nil {
		return context.Background()
	}
	return context.WithoutCancel(e.Context)
}

// outcome says how a call of the store ended.
type outcome string

const (
	succeeded   outcome = "ok"
	notFound    outcome = "not_found"
	conflict    outcome = "conflict"
	unsupported outcome = "unsupported"
	canceled    outcome = "canceled"
	tooLarge    outcome = "too_large"
	full        outcome = "full"
	timeout     outcome = "timeout"
	failed      outcome = "error"
)

func outcomes() []outcome {
	return []outcome{succeeded, notFound, conflict, unsupported, canceled, tooLarge, full, timeout, failed}
}

// failure reports whether the store did not do its work. That there is no such record, that another request was faster or
// that the store has no such ability are answers, and that the client went away is not the store's fault.
func (o outcome) failure() bool {
	return o == tooLarge || o == full || o == timeout || o == failed
}

// outcomeOf returns how a call that returned err has ended.
func outcomeOf(err error) outcome {
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		return succeeded
	case errors.Is(err, core.ErrNotFound):
		return notFound
	case errors.Is(err, core.ErrConflict):
		return conflict
	case errors.Is(err, errors.ErrUnsupported):
		return unsupported
	case errors.Is(err, context.Canceled):
		return canceled
	case errors.Is(err, core.ErrTooLarge):
		return tooLarge
	case errors.Is(err, core.ErrFull):
		return full
	case errors.As(err, &late) && late.Timeout():
		return timeout
	}
	return failed
}

// operations returns the values of Event.Operation.
func operations() []string {
	return []string{"load", "save", "touch", "delete", "list", "list subject", "count", "purge", other}
}

// reasons returns the values of Event.Reason.
func reasons() []string {
	return []string{
		core.ReasonRevoked, core.ReasonRevokedAll, core.ReasonRevokedEverything, core.ReasonLimit, core.ReasonReuse, other,
	}
}

// kinds returns the kinds that core knows.
func kinds() (all []core.EventKind) {
	for k := core.EventKind(1); k.String() != core.EventKind(0).String(); k++ {
		all = append(all, k)
	}
	return all
}

// known returns value if it is among the values, and else other.
func known(values []string, value string) string {
	if slices.Contains(values, value) {
		return value
	}
	return other
}

// words returns what a value is called in an attribute.
func words(value string) string { return strings.ReplaceAll(value, " ", "_") }

// label tells one series of an instrument from the others.
type label struct {
	kind, reason string // of an event
	operation    string // of a call of the store
	outcome      outcome
}

// labelOf returns the label of an event other than a call of the store.
func labelOf(e *core.Event) label {
	l := label{kind: e.Kind.String()}
	if e.Kind == core.EventRevoked {
		l.reason = known(reasons(), e.Reason)
	}
	return l
}

// attributes returns what the label is on the outside.
func (l label) attributes() (attrs []attribute.KeyValue) {
	for _, a := range [...]attribute.KeyValue{
		keyEvent.String(words(l.kind)), keyReason.String(words(l.reason)),
		keyOperation.String(words(l.operation)), keyOutcome.String(string(l.outcome)),
	} {
		if a.Value.AsString() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// series holds the attributes of each series there can be, made once.
type series map[label]metric.MeasurementOption

func newSeries(common []attribute.KeyValue) series {
	s := series{}
	add := func(l label) {
		s[l] = metric.WithAttributeSet(attribute.NewSet(append(l.attributes(), common...)...))
	}
	add(label{})
	for _, k := range append(kinds(), 0) {
		add(label{kind: k.String()})
	}
	for _, r := range reasons() {
		add(label{kind: core.EventRevoked.String(), reason: r})
	}
	for _, o := range operations() {
		add(label{operation: o})
		for _, result := range outcomes() {
			add(label{operation: o, outcome: result})
		}
	}
	return s
}
