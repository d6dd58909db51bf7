package otelsessions

import (
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scopeName is the instrumentation scope of all metrics and spans.
const scopeName = "github.com/cloakroom-go/sessions/core/otelsessions"

// Options configures a [Telemetry]. The zero value is ready to use.
type Options struct {
	// MeterProvider creates the instruments. The default is the global provider, even if that
	// is set later. To record no metrics, use the provider of package metric/noop.
	MeterProvider metric.MeterProvider

	// TracerProvider creates the spans. The default is the global provider, even if that is
	// set later. To record no spans, use the provider of package trace/noop.
	TracerProvider trace.TracerProvider

	// Manager is the value of the attribute session.manager of all metrics and spans. By
	// default they do not have this attribute. A program with several managers needs a
	// Telemetry with another name for each.
	Manager string

	// Subjects adds the signed-in user, as user.id, to spans such as "session login". The
	// default is false: no span names a user. Metrics never do.
	Subjects bool
}

// Telemetry records the events of one manager. It is safe for concurrent use.
type Telemetry struct {
	meter    metric.Meter
	tracer   trace.Tracer
	subjects bool
	common   []attribute.KeyValue // the attributes of all metrics and spans
	series   seriesOptions
	observed atomic.Bool // Observe is in effect

	events    metric.Int64Counter
	dropped   metric.Int64Counter
	duration  metric.Float64Histogram
	conflicts metric.Int64Counter
}

// New creates the instruments. It returns the errors of the meter provider.
func New(o Options) (*Telemetry, error) {
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	t := &Telemetry{
		meter:    o.MeterProvider.Meter(scopeName),
		tracer:   o.TracerProvider.Tracer(scopeName),
		subjects: o.Subjects,
	}
	if o.Manager != "" {
		t.common = []attribute.KeyValue{keyManager.String(o.Manager)}
	}
	t.series = newSeriesOptions(t.common)
	if err := t.createInstruments(); err != nil {
		return nil, err
	}
	return t, nil
}

// createInstruments creates the instruments that record events.
func (t *Telemetry) createInstruments() error {
	var errs [4]error
	t.events, errs[0] = t.meter.Int64Counter("session.events",
		metric.WithUnit("{event}"),
		metric.WithDescription("What happened to sessions."))
	t.dropped, errs[1] = t.meter.Int64Counter("session.dropped_events",
		metric.WithUnit("{event}"),
		metric.WithDescription("Events that are missing in the other metrics "+
			"because the hook was too slow."))
	t.conflicts, errs[2] = t.meter.Int64Counter("session.store.conflicts",
		metric.WithUnit("{conflict}"),
		metric.WithDescription("Writes that the store refused "+
			"because another request had changed the session."))
	t.duration, errs[3] = t.meter.Float64Histogram("session.store.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Duration of calls of the session store."),
		metric.WithExplicitBucketBoundaries(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
			0.05, 0.1, 0.25, 0.5, 1, 2.5, 5))
	return errors.Join(errs[:]...)
}
