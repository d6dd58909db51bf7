package tests_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

func checkStatus(t *testing.T, s *tracetest.SpanStub, end ended) {
	t.Helper()
	equal(t, "outcome", value(s, "session.store.outcome"), end.outcome)
	status := sdktrace.Status{}
	if end.failure {
		status = sdktrace.Status{Code: codes.Error, Description: "driver: " + end.err.Error()}
	}
	equal(t, "status", s.Status, status)
}

// below fails the test unless the span is a child of the request's.
func below(t *testing.T, s *tracetest.SpanStub, request trace.Span) {
	t.Helper()
	equal(t, "parent of "+s.Name, s.Parent.SpanID(), request.SpanContext().SpanID())
	equal(t, "trace of "+s.Name, s.SpanContext.TraceID(), request.SpanContext().TraceID())
}

// The calls of the store are children of the request's span, on the memory store, which gets the request's own context,
// and on a store that may wait, which gets contexts that end with the call. The request is over when the spans are made.
func TestSpansBelongToTheRequest(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]core.Store{"memory": nil, "remote": newRemote()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
			b := &browser{m: r.m}
			must(t, b.visit(t.Context(), increment))
			ctx, cancel := context.WithCancel(t.Context())
			ctx, request := r.tracer.Start(ctx, "request")
			var id string
			must(t, b.visit(ctx, func(s *core.Session) {
				id = s.ID()
				must(t, s.Login("ann"))
			}))
			request.End()
			cancel()
			r.close()
			for _, name := range []string{"session store save", "session login"} {
				s := r.only(name)
				below(t, s, request)
				equal(t, "session of "+name, value(s, "session.id"), id)
			}
			loads := 0 // of the session, and of the last revocation of its user
			spans := r.spans.GetSpans()
			for i := range spans {
				if s := &spans[i]; s.Name == "session store load" {
					below(t, s, request)
					loads++
				}
			}
			equal(t, "loads", loads, 2)
			equal(t, "spans", len(r.spans.GetSpans()), 5)
			save := r.only("session store save")
			equal(t, "kind", save.SpanKind, trace.SpanKindClient)
			equal(t, "operation", value(save, "session.store.operation"), "save")
		})
	}
}

// A span is where and as long as the call was, although it is made when the call is over and the hook has time for it.
func TestSpansHaveTheTimesOfTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newRemote()
		r := newRig(t, core.Options{Store: store, OnEvent: func(core.Event) { time.Sleep(time.Second) }}, otelsessions.Options{})
		b := &browser{m: r.m}
		must(t, b.visit(t.Context(), increment))
		store.meet(func(operation string) error {
			if operation == "save" {
				time.Sleep(20 * time.Millisecond)
			}
			return nil
		})
		start := time.Now()
		ctx, request := r.tracer.Start(t.Context(), "request")
		must(t, b.visit(ctx, func(s *core.Session) {
			must(t, s.Login("ann"))
			time.Sleep(50 * time.Millisecond)
		}))
		request.End()
		r.close()
		save, mark := r.only("session store save"), r.only("session login")
		equal(t, "start of the save", save.StartTime.Sub(start), 50*time.Millisecond)
		equal(t, "end of the save", save.EndTime.Sub(start), 70*time.Millisecond)
		equal(t, "start of the login", mark.StartTime.Sub(start), 70*time.Millisecond)
		equal(t, "length of the login", mark.EndTime.Sub(mark.StartTime), 0)
	})
}

// What happens outside of every trace is counted and makes no trace of its own.
func TestNoTraceNoSpans(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	b := &browser{m: r.m}
	must(t, b.visit(t.Context(), login(t, "ann")))
	must(t, b.visit(t.Context(), (*core.Session).Destroy))
	r.close()
	equal(t, "spans", len(r.spans.GetSpans()), 0)
	equal(t, "logins", r.counts("session.events")["login"], 1)
}

// A trace that is not sampled gets no spans either.
func TestUnsampledTrace(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1},
	}))
	must(t, (&browser{m: r.m}).visit(ctx, increment))
	r.close()
	equal(t, "spans", len(r.spans.GetSpans()), 0)
}

// The session's end from outside is found in the trace of whoever caused it, with the reason.
func TestRevocationIsMarked(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	must(t, (&browser{m: r.m}).visit(t.Context(), login(t, "ann")))
	ctx, request := r.tracer.Start(t.Context(), "request")
	_, err := r.m.RevokeAll(ctx, "ann")
	must(t, err)
	request.End()
	r.close()
	mark := r.only("session revoked")
	below(t, mark, request)
	equal(t, "reason", value(mark, "session.reason"), "revoked_all")
	equal(t, "status", mark.Status.Code, codes.Unset)
	list := r.only("session store list subject")
	below(t, list, request)
}

// A record that cannot be read is an error in the trace: the user has lost what was in it.
func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	store := newRemote()
	r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
	b := &browser{m: r.m}
	must(t, b.visit(t.Context(), increment))
	page, _, err := store.records.List(t.Context(), "", "", 1)
	must(t, err)
	page[0].Data = []byte("damaged")
	_, err = store.Save(t.Context(), page[0])
	must(t, err)
	ctx, request := r.tracer.Start(t.Context(), "request")
	must(t, b.visit(ctx, read))
	request.End()
	r.close()
	equal(t, "status", r.only("session undecodable").Status.Code, codes.Error)
	equal(t, "status of the load", r.only("session store load").Status.Code, codes.Unset)
}

// L1: no secret is in any metric or span, and a user only where the option says so, and then in spans alone.
func TestL1NoSecretsNoSubjects(t *testing.T) {
	t.Parallel()
	for _, subjects := range []bool{false, true} {
		r := newRig(t, core.Options{}, otelsessions.Options{Subjects: subjects})
		b := &browser{m: r.m}
		ctx, request := r.tracer.Start(t.Context(), "request")
		var id string
		must(t, b.visit(ctx, func(s *core.Session) {
			must(t, s.Login("ann@example.com"))
			must(t, s.Set("note", "precious-value"))
		}))
		token := b.token()
		must(t, b.visit(ctx, func(s *core.Session) {
			id = s.ID()
			must(t, s.Renew())
		}))
		renewed := b.token()
		request.End()
		r.close()
		metrics, err := json.Marshal(r.collect())
		must(t, err)
		spans := fmt.Sprintf("%+v", r.spans.GetSpans())
		for _, secret := range []string{token[22:], renewed[22:], "precious-value"} {
			equal(t, "secret in metrics", strings.Contains(string(metrics), secret), false)
			equal(t, "secret in spans", strings.Contains(spans, secret), false)
		}
		equal(t, "session in metrics", strings.Contains(string(metrics), id), false)
		equal(t, "user in metrics", strings.Contains(string(metrics), "ann@example.com"), false)
		equal(t, "user in spans", strings.Contains(spans, "ann@example.com"), subjects)
	}
}

// curious is a span processor that looks at the context which spans are started in.
type curious struct {
	sdktrace.SpanProcessor

	ended []error
}

func (c *curious) OnStart(ctx context.Context, _ sdktrace.ReadWriteSpan) {
	c.ended = append(c.ended, ctx.Err())
}

func (c *curious) OnEnd(sdktrace.ReadOnlySpan) {}

// The context that recordings get has the request's values and not its end, for what is cut short by that.
func TestContextHasNotEnded(t *testing.T) {
	t.Parallel()
	c := &curious{}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(c))
	telemetry, err := otelsessions.New(otelsessions.Options{MeterProvider: metric.NewMeterProvider(), TracerProvider: traces})
	must(t, err)
	m, err := core.NewManager(telemetry.Instrument(core.Options{Store: newRemote(), Logger: silent()}))
	must(t, err)
	must(t, (&browser{m: m}).visit(sampled(t.Context()), increment))
	must(t, m.Close(t.Context()))
	equal(t, "spans", len(c.ended), 1)
	equal(t, "error", c.ended[0], nil)
}

// sampled returns a context with a span of a trace elsewhere.
func sampled(ctx context.Context) context.Context {
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
}

// faulty is a span processor that panics.
type faulty struct{ sdktrace.SpanProcessor }

func (faulty) OnStart(context.Context, sdktrace.ReadWriteSpan) { panic("faulty") }

// R7: a fault in the application's telemetry harms neither requests nor the application's hook.
func TestR7FaultyExporter(t *testing.T) {
	t.Parallel()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(faulty{}))
	telemetry, err := otelsessions.New(otelsessions.Options{MeterProvider: metric.NewMeterProvider(), TracerProvider: traces})
	must(t, err)
	calls := 0
	m, err := core.NewManager(telemetry.Instrument(core.Options{Logger: silent(), OnEvent: func(core.Event) { calls++ }}))
	must(t, err)
	must(t, (&browser{m: m}).visit(sampled(t.Context()), login(t, "ann")))
	must(t, m.Close(t.Context()))
	equal(t, "events told", calls, 2)
}
