package otelsessions

import (
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroom-go/sessions/core"
)

// scopeName is the instrumentation scope of all metrics and spans.
const scopeName = "github.com/cloakroom-go/sessions/core/otelsessions"

// Options configures a [Telemetry]. The zero value is ready for use.
type Options struct {
	// MeterProvider makes the instruments. Nil: the global one, also where it is set later. For no metrics give that of
	// package metric/noop.
	MeterProvider metric.MeterProvider

	// TracerProvider makes the spans. Nil: the global one, also where it is set later. For no spans give that of package
	// trace/noop.
	TracerProvider trace.TracerProvider

	// Manager is the attribute session.manager of all metrics and spans. "": there is none. Programs with several managers
	// make one Telemetry for each and give it a name here.
	Manager string

	// Subjects puts the signed-in user into spans such as "session login", as user.id. False: no span names a user.
	// Metrics never do.
	Subjects bool
}

// Telemetry records the events of one manager. It is safe for concurrent use.
type Telemetry struct {
	meter    metric.Meter
	tracer   trace.Tracer
	subjects bool
	common   []attribute.KeyValue
	sets     series
	observed atomic.Bool

	events    metric.Int64Counter
	dropped   metric.Int64Counter
	duration  metric.Float64Histogram
	conflicts metric.Int64Counter
}

// New makes the instruments. The error is that of the meter provider.
func New(o Options) (*Telemetry, error) {
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	t := &Telemetry{
		meter: o.MeterProvider.Meter(scopeName), tracer: o.TracerProvider.Tracer(scopeName), subjects: o.Subjects,
	}
	if o.Manager != "" {
		t.common = []attribute.KeyValue{keyManager.String(o.Manager)}
	}
	t.sets = newSeries(t.common)
	if err := t.instruments(); err != nil {
		return nil, err
	}
	return t, nil
}

// instruments makes those that the manager's events feed.
func (t *Telemetry) instruments() error {
	var errs [4]error
	t.events, errs[0] = t.meter.Int64Counter("session.events", metric.WithUnit("{event}"),
		metric.WithDescription("What happened to sessions."))
	t.dropped, errs[1] = t.meter.Int64Counter("session.dropped_events", metric.WithUnit("{event}"),
		metric.WithDescription("Events that are missing in the other metrics because the hook was too slow."))
	t.conflicts, errs[2] = t.meter.Int64Counter("session.store.conflicts", metric.WithUnit("{conflict}"),
		metric.WithDescription("Writes that the store refused because another request had changed the session."))
	t.duration, errs[3] = t.meter.Float64Histogram("session.store.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls of the session store."),
		metric.WithExplicitBucketBoundaries(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5))
	return errors.Join(errs[:]...)
}

// Instrument returns the options with this telemetry in them, for the manager that is made from them. A hook that is set
// already is told of everything as before, and after the telemetry: of calls of the store only where StoreEvents was set.
func (t *Telemetry) Instrument(o core.Options) core.Options {
	h := &hook{telemetry: t, next: o.OnEvent, calls: o.StoreEvents}
	o.OnEvent, o.StoreEvents = h.told, true
	return o
}

// hook is the telemetry in front of the application's own hook.
type hook struct {
	telemetry *Telemetry
	next      func(core.Event) // nil: none
	calls     bool             // next is to be told of calls of the store
	dropped   atomic.Uint64    // what events said that next was not told of
}

func (h *hook) told(e core.Event) {
	defer h.pass(e) // a fault in an exporter is not the application's
	h.telemetry.record(&e)
}

// pass tells the application's hook what it would have been told without the telemetry.
func (h *hook) pass(e core.Event) {
	if h.next == nil {
		return
	}
	if e.Kind == core.EventStoreCalled && !h.calls {
		h.dropped.Add(e.Dropped)
		return
	}
	e.Dropped += h.dropped.Swap(0)
	h.next(e)
}
