package otelsessions

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/cloakroom-go/sessions/core"
)

// The attributes of metrics and spans.
const (
	keyManager   = attribute.Key("session.manager")
	keyEvent     = attribute.Key("session.event")
	keyReason    = attribute.Key("session.reason")
	keyOperation = attribute.Key("session.store.operation")
	keyOutcome   = attribute.Key("session.store.outcome")
)

// otherValue replaces a value that this version does not know, so that the number of series
// stays bounded.
const otherValue = "other"

// operations returns the possible values of Event.Operation.
func operations() []string {
	return []string{
		"load", "save", "touch", "delete", "list", "list subject", "count", "purge", otherValue,
	}
}

// reasons returns the possible values of Event.Reason.
func reasons() []core.Reason {
	return []core.Reason{
		core.ReasonRevoked, core.ReasonRevokedAll, core.ReasonRevokedEverything,
		core.ReasonLimit, core.ReasonReuse, core.ReasonSignedOut, core.ReasonSignedIn,
		core.ReasonReplaced, core.ReasonProvider, core.ReasonActor, otherValue,
	}
}

// eventKinds returns the kinds of events that core defines.
func eventKinds() (all []core.EventKind) {
	for k := core.EventKind(1); k.String() != core.EventKind(0).String(); k++ {
		all = append(all, k)
	}
	return all
}

// knownOrOther returns value if it is one of values, and otherValue otherwise.
func knownOrOther[T ~string](values []T, value T) T {
	if slices.Contains(values, value) {
		return value
	}
	return otherValue
}

// attributeValue returns the spelling of a value in attributes.
func attributeValue(value string) string { return strings.ReplaceAll(value, " ", "_") }

// label identifies a series of an instrument. A field is empty if it does not apply.
type label struct {
	kind, reason string // of an event
	operation    string // of a call of the store
	outcome      outcome
}

// labelOf returns the label of an event other than a call of the store.
func labelOf(e *core.Event) label {
	l := label{kind: e.Kind.String()}
	if hasReason(e.Kind) && (e.Reason != "" || e.Kind == core.EventRevoked) {
		l.reason = string(knownOrOther(reasons(), e.Reason))
	}
	return l
}

// hasReason reports whether events of the kind have a reason. That of EventGone may be unknown.
func hasReason(kind core.EventKind) bool {
	return kind == core.EventRevoked || kind == core.EventGone
}

// attributes returns the attributes of the label.
func (l label) attributes() (attrs []attribute.KeyValue) {
	for _, a := range [...]attribute.KeyValue{
		keyEvent.String(attributeValue(l.kind)), keyReason.String(attributeValue(l.reason)),
		keyOperation.String(attributeValue(l.operation)), keyOutcome.String(string(l.outcome)),
	} {
		if a.Value.AsString() != "" {
			attrs = append(attrs, a)
		}
	}
	return attrs
}

// seriesOptions holds the option with the attributes of each possible series. They are made
// once, so that recording does not allocate them.
type seriesOptions map[label]metric.MeasurementOption

func newSeriesOptions(common []attribute.KeyValue) seriesOptions {
	s := seriesOptions{}
	add := func(l label) {
		s[l] = metric.WithAttributeSet(attribute.NewSet(append(l.attributes(), common...)...))
	}
	add(label{})
	for _, k := range append(eventKinds(), 0) {
		add(label{kind: k.String()})
	}
	for _, r := range reasons() {
		add(label{kind: core.EventRevoked.String(), reason: string(r)})
		add(label{kind: core.EventGone.String(), reason: string(r)})
	}
	for _, op := range operations() {
		add(label{operation: op})
		for _, o := range outcomes() {
			add(label{operation: op, outcome: o})
		}
	}
	return s
}
