package tests_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

// Without Observe the store is never asked how many sessions it has.
func TestNothingIsCountedUnasked(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{}, otelsessions.Options{})
	must(t, (&browser{m: r.m}).visit(t.Context(), increment))
	_, there := r.collect()["session.live"]
	equal(t, "gauge", there, false)
	r.close()
	same(t, "calls", r.counts("session.store.duration"), map[string]int64{"save ok": 1})
}

// The gauge follows the store, and asks it no more often than it is told to.
func TestLiveSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := counting{newRemote()}
		asked := 0
		store.meet(func(operation string) error {
			if operation == "count" {
				asked++
			}
			return nil
		})
		r := newRig(t, core.Options{Store: store, Expiry: time.Hour}, otelsessions.Options{Manager: "shop"})
		stop, err := r.telemetry.Observe(t.Context(), r.m, time.Minute)
		must(t, err)
		for range 3 {
			must(t, (&browser{m: r.m}).visit(t.Context(), increment))
		}
		same(t, "live at first", r.counts("session.live"), map[string]int64{"shop": 0})
		time.Sleep(time.Minute)
		for range 10 {
			same(t, "live", r.counts("session.live"), map[string]int64{"shop": 3})
		}
		equal(t, "asked", asked, 2)
		time.Sleep(2 * time.Hour)
		same(t, "live in the end", r.counts("session.live"), map[string]int64{"shop": 0})
		must(t, stop())
		must(t, stop())
		same(t, "live after the stop", r.counts("session.live"), map[string]int64{})
	})
}

// O1: while the store does not count the gauge has no value, no stale one either, and all other metrics go on.
func TestO1LiveSessionsOfABrokenStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := counting{newRemote()}
		r := newRig(t, core.Options{Store: store}, otelsessions.Options{})
		must(t, (&browser{m: r.m}).visit(t.Context(), increment))
		synctest.Wait()
		store.meet(func(string) error { return errDown })
		_, err := r.telemetry.Observe(t.Context(), r.m, 0)
		must(t, err)
		for range 2 {
			same(t, "live", r.counts("session.live"), map[string]int64{}) // counts fails the test if Collect has an error
			same(t, "events", without(r.counts("session.events"), "store_failed"), map[string]int64{"created": 1})
			time.Sleep(time.Minute)
		}
		store.meet(nil)
		same(t, "live again", r.counts("session.live"), map[string]int64{"": 1})
		store.meet(func(string) error { return errDown })
		time.Sleep(time.Minute)
		same(t, "live in the next outage", r.counts("session.live"), map[string]int64{})
	})
}

func without(counts map[string]int64, key string) map[string]int64 {
	delete(counts, key)
	return counts
}

// slow counts until its context ends.
type slow struct{ *remote }

func (slow) Count(ctx context.Context, _ string) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// A store that does not answer holds a collection up for a bounded time, and the next one only when it is asked again.
func TestCollectionIsNotHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, core.Options{Store: slow{newRemote()}, StoreTimeout: time.Hour}, otelsessions.Options{})
		_, err := r.telemetry.Observe(t.Context(), r.m, time.Minute)
		must(t, err)
		time.Sleep(time.Minute)
		for _, wait := range []time.Duration{5 * time.Second, 0} {
			start := time.Now()
			r.collect()
			equal(t, "wait", time.Since(start), wait) // the bubble's clock
		}
	})
}

// A store that can neither count nor list says so at once, a second manager is not mixed into the numbers of the first,
// and an interval that would be a flood is refused.
func TestObserveRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, core.Options{Store: newRemote()}, otelsessions.Options{})
	_, err := r.telemetry.Observe(t.Context(), r.m, 0)
	equal(t, "of a store that cannot count", errors.Is(err, errors.ErrUnsupported), true)

	r = newRig(t, core.Options{}, otelsessions.Options{})
	_, err = r.telemetry.Observe(t.Context(), r.m, time.Millisecond)
	equal(t, "too often", err != nil, true)
	_, err = r.telemetry.Observe(t.Context(), r.m, -time.Minute)
	equal(t, "never", err != nil, true)
	stop, err := r.telemetry.Observe(t.Context(), r.m, 0)
	must(t, err)
	_, err = r.telemetry.Observe(t.Context(), r.m, 0)
	equal(t, "twice", errors.Is(err, errors.ErrUnsupported), true)
	must(t, stop())
	_, err = r.telemetry.Observe(t.Context(), r.m, 0)
	must(t, err)
	must(t, stop()) // again, which ends nothing
	_, err = r.telemetry.Observe(t.Context(), r.m, 0)
	equal(t, "twice after a stop", errors.Is(err, errors.ErrUnsupported), true)
}

// Without providers the global ones are used. What is global is no test's own, so this one runs alone.
func TestGlobalProviders(t *testing.T) {
	meters, traces := otel.GetMeterProvider(), otel.GetTracerProvider()
	t.Cleanup(func() {
		otel.SetMeterProvider(meters)
		otel.SetTracerProvider(traces)
	})
	reader, spans := metric.NewManualReader(), tracetest.NewInMemoryExporter()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	telemetry, err := otelsessions.New(otelsessions.Options{})
	must(t, err)
	r := &rig{t: t, reader: reader, spans: spans}
	r.m, err = core.NewManager(telemetry.Instrument(core.Options{Logger: silent()}))
	must(t, err)
	ctx, span := otel.Tracer("application").Start(t.Context(), "request")
	must(t, (&browser{m: r.m}).visit(ctx, increment))
	r.close()
	below(t, r.only("session store save"), span)
	same(t, "events", r.counts("session.events"), map[string]int64{"created": 1})
}
