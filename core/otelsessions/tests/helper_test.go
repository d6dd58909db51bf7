package tests_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

const visits = core.Key[int]("visits")

// errDown is what a store says that cannot be reached.
var errDown = errors.New("connection refused")

// rig is a manager with telemetry that tests read back.
type rig struct {
	t         *testing.T
	telemetry *otelsessions.Telemetry
	m         *core.Manager
	reader    *metric.ManualReader
	spans     *tracetest.InMemoryExporter
	tracer    trace.Tracer // of the application
}

// newRig makes one. Tests whose subject is the telemetry's own options give them.
func newRig(t *testing.T, o core.Options, to otelsessions.Options) *rig {
	t.Helper()
	r := &rig{t: t, reader: metric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	to.MeterProvider, to.TracerProvider = metric.NewMeterProvider(metric.WithReader(r.reader)), traces
	r.tracer = traces.Tracer("application")
	var err error
	if r.telemetry, err = otelsessions.New(to); err != nil {
		t.Fatalf("New: %v", err)
	}
	o.Logger = silent()
	if r.m, err = core.NewManager(r.telemetry.Instrument(o)); err != nil {
		t.Fatalf("NewManager: %v", err)
	}
	t.Cleanup(r.close)
	return r
}

// close delivers what waits, so that all events are in.
func (r *rig) close() {
	r.t.Helper()
	if err := r.m.Close(context.WithoutCancel(r.t.Context())); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// browser keeps the cookie of one manager.
type browser struct {
	m      *core.Manager
	cookie string
}

// visit is one whole request, as an adapter makes it. It returns the error of loading or of the commit.
func (b *browser) visit(ctx context.Context, handler func(*core.Session)) error {
	var sc core.Scope
	if err := sc.Open(ctx, nil, b.m, nil, b.cookie); err != nil {
		return err
	}
	handler(sc.Get())
	reply, err := sc.CommitHeader()
	if err != nil {
		return err
	}
	b.keep(&reply)
	return nil
}

func (b *browser) keep(reply *adapter.Reply) {
	if reply.SetCookie != "" {
		b.cookie, _, _ = strings.Cut(reply.SetCookie, ";")
	}
}

// token returns the secret part of the browser's cookie.
func (b *browser) token() string {
	_, value, _ := strings.Cut(b.cookie, "=")
	return value
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// equal fails the test unless got is what was wanted.
func equal[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%s is %v, want %v", what, got, wanted)
	}
}

func increment(s *core.Session) { visits.Update(s, func(n int) int { return n + 1 }) }

func read(s *core.Session) { visits.Get(s) }

func login(t *testing.T, subject string) func(*core.Session) {
	t.Helper()
	return func(s *core.Session) { must(t, s.Login(subject)) }
}

// collect reads all metrics, by name.
func (r *rig) collect() map[string]metricdata.Metrics {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	must(r.t, r.reader.Collect(context.WithoutCancel(r.t.Context()), &all))
	out := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		equal(r.t, "scope", scope.Scope.Name, "github.com/cloakroom-go/sessions/core/otelsessions")
		for _, m := range scope.Metrics {
			out[m.Name] = m
		}
	}
	return out
}

// counts returns the numbers of a counter or a gauge, or how often a histogram was fed, by the values of the attributes
// in the order of their keys.
func (r *rig) counts(name string) map[string]int64 {
	r.t.Helper()
	out := map[string]int64{}
	switch data := r.collect()[name].Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			out[spell(p.Attributes)] = p.Value
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			out[spell(p.Attributes)] = p.Value
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			out[spell(p.Attributes)] = int64(p.Count)
		}
	}
	return out
}

func spell(set attribute.Set) string {
	var values []string
	for _, kv := range set.ToSlice() {
		values = append(values, kv.Value.String())
	}
	return strings.Join(values, " ")
}

// only returns the one finished span of a name.
func (r *rig) only(name string) *tracetest.SpanStub {
	r.t.Helper()
	var found []tracetest.SpanStub
	var names []string
	all := r.spans.GetSpans()
	for i := range all {
		names = append(names, all[i].Name)
		if all[i].Name == name {
			found = append(found, all[i])
		}
	}
	if len(found) != 1 {
		r.t.Fatalf("%d spans %q among %q, want one", len(found), name, names)
	}
	return &found[0]
}

// value returns an attribute of a span, "" if it has none.
func value(s *tracetest.SpanStub, key attribute.Key) string {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// remote is a store of the contract's three methods, each of which can be made to fail or to take its time. Unlike the memory
// store it may wait, so the manager gives each call a context of its own.
type remote struct {
	records *memstore.Store

	mu     sync.Mutex
	before func(operation string) error
}

func newRemote() *remote { return &remote{records: memstore.New(memstore.Options{})} }

// meet has before called first in each method from now on. An error is what the method returns.
func (r *remote) meet(before func(operation string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = before
}

func (r *remote) ask(operation string) error {
	r.mu.Lock()
	before := r.before
	r.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(operation)
}

func (r *remote) Load(ctx context.Context, key string) (core.Record, error) {
	if err := r.ask("load"); err != nil {
		return core.Record{}, err
	}
	return r.records.Load(ctx, key)
}

func (r *remote) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	if err := r.ask("save"); err != nil {
		return core.Record{}, err
	}
	return r.records.Save(ctx, rec)
}

func (r *remote) Delete(ctx context.Context, key string) error {
	if err := r.ask("delete"); err != nil {
		return err
	}
	return r.records.Delete(ctx, key)
}

// counting is a remote store that can count.
type counting struct{ *remote }

func (c counting) Count(ctx context.Context, prefix string) (int, error) {
	if err := c.ask("count"); err != nil {
		return 0, err
	}
	return c.records.Count(ctx, prefix)
}
