package otelsessions

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/cloakroom-go/sessions/core"
)

const (
	// defaultInterval is less than the minute that usually lies between two exports, so that
	// each exports a new number.
	defaultInterval = 30 * time.Second
	// countTimeout is the maximum duration of a count. All metrics of the program wait for it.
	countTimeout = 5 * time.Second
)

// Observe adds the gauge session.live, the number of sessions that m has in the store, by
// [core.Manager.Count]. Counting is work for the store: one query if it can count, and
// otherwise a walk over all records.
//
// Observe counts at once. After that the sessions are counted while metrics are collected, if
// the last count is older than every. The default, for zero, is 30 seconds; otherwise it must
// be at least one second. A count takes at most 5 seconds. If it fails, the gauge has no value
// until the next count; the other metrics are not affected.
//
// All processes that share a store count the same sessions. Call Observe in one of them, or
// use the maximum over the processes instead of the sum.
//
// The function stop removes the gauge. Observe returns [errors.ErrUnsupported] if the store
// can neither count nor list, or if the Telemetry observes a manager already. It returns no
// error if the store is only unavailable.
func (t *Telemetry) Observe(
	ctx context.Context, m *core.Manager, every time.Duration,
) (stop func() error, err error) {
	if every == 0 {
		every = defaultInterval
	}
	if every < time.Second {
		return nil, fmt.Errorf("otelsessions: Observe every %v; use at least a second, "+
			"or 0 for %v", every, defaultInterval)
	}
	c := &liveCount{manager: m, interval: every}
	if err := c.refresh(ctx); errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("otelsessions: live sessions: %w", err)
	}
	if !t.observed.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("otelsessions: a manager is observed already; "+
			"make a Telemetry with a Manager name for each: %w", errors.ErrUnsupported)
	}
	stop, err = t.registerGauge(c)
	if err != nil {
		t.observed.Store(false)
	}
	return stop, err
}

// registerGauge creates the gauge, with c as the source of its values.
func (t *Telemetry) registerGauge(c *liveCount) (stop func() error, err error) {
	gauge, err := t.meter.Int64ObservableGauge("session.live",
		metric.WithUnit("{session}"),
		metric.WithDescription("Sessions in the store that have not ended. "+
			"Processes on one store report the same ones."))
	if err != nil {
		return nil, err
	}
	observe := func(ctx context.Context, o metric.Observer) error {
		if n, ok := c.value(ctx); ok {
			o.ObserveInt64(gauge, n, t.series[label{}])
		}
		// An error would keep the reader from exporting all other metrics. The manager has
		// reported it.
		return nil
	}
	r, err := t.meter.RegisterCallback(observe, gauge)
	if err != nil {
		return nil, err
	}
	return sync.OnceValue(func() error {
		t.observed.Store(false)
		return r.Unregister()
	}), nil
}

// liveCount is the result of the last count.
type liveCount struct {
	manager  *core.Manager
	interval time.Duration

	mu        sync.Mutex // held during a count, so that there is one at a time
	countedAt time.Time
	n         int64
	known     bool // the last count succeeded
}

// value returns the number of live sessions, if it is known.
func (c *liveCount) value(ctx context.Context) (n int64, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.countedAt) >= c.interval {
		_ = c.refresh(ctx) // the manager reports the error
	}
	return c.n, c.known
}

// refresh counts the sessions. The caller must hold c.mu, or be the only one to have c.
func (c *liveCount) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	n, err := c.manager.Count(ctx)
	c.countedAt, c.n, c.known = time.Now(), int64(n), err == nil
	return err
}
