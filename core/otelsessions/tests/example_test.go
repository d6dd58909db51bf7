package tests_test

import (
	"context"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

// newManager makes a manager whose sessions are counted and measured. With an adapter it is sessions.NewManager and
// sessions.Options, of the adapter's package; the rest is the same.
func newManager(provider *sdk.MeterProvider) (*core.Manager, error) {
	telemetry, err := otelsessions.New(otelsessions.Options{MeterProvider: provider})
	if err != nil {
		return nil, err
	}
	m, err := core.NewManager(telemetry.Instrument(core.Options{}))
	if err != nil {
		return nil, err
	}
	_, err = telemetry.Observe(context.Background(), m, 0) // session.live; leave it out and the store is never asked
	return m, err
}

// shutDown ends what newManager began, when the server has stopped.
func shutDown(ctx context.Context, m *core.Manager, provider *sdk.MeterProvider) {
	if err := m.Close(ctx); err != nil { // first the manager, so that its last events are in
		fmt.Println(err)
	}
	if err := provider.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
}

// A real program gives its provider a reader that exports, such as that of OTLP or Prometheus, and has a server.
func Example() {
	ctx := context.Background()
	reader := sdk.NewManualReader()
	provider := sdk.NewMeterProvider(sdk.WithReader(reader))
	m, err := newManager(provider)
	if err != nil {
		fmt.Println(err)
		return
	}
	signIn(ctx, m)
	if err := m.Close(ctx); err != nil {
		fmt.Println(err)
	}
	show(ctx, reader)
	shutDown(ctx, m, provider)
	// Unordered output:
	// session.events created 1
	// session.events login 1
}

// signIn is a request, as an adapter makes it.
func signIn(ctx context.Context, m *core.Manager) {
	var sc core.Scope
	if err := sc.Open(ctx, nil, m, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := sc.Get().Login("ann"); err != nil {
		fmt.Println(err)
	}
	if _, err := sc.CommitHeader(); err != nil {
		fmt.Println(err)
	}
}

// show prints what was counted.
func show(ctx context.Context, reader sdk.Reader) {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		fmt.Println(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok {
			for _, p := range sum.DataPoints {
				fmt.Println(m.Name, spell(p.Attributes), p.Value)
			}
		}
	}
}
