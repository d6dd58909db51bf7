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
	// defaultEvery is shorter than the minute between two exports, so that each of them has a new number.
	defaultEvery = 30 * time.Second
	// countTimeout bounds one count, since all metrics of the program wait for it.
	countTimeout = 5 * time.Second
)

// Observe adds the gauge session.live: how many sessions the store holds for m, by [core.Manager.Count]. That is work
// for the store, one question where it can count and a walk over all records where it cannot, so it happens only where
// Observe is called: at once, and then while metrics are collected, if the last answer is older than every. Zero: 30
// seconds; at least a second otherwise. A question takes at most 5 seconds; when it fails the gauge has no value until
// it is asked again, and other metrics go on. All processes on one store see the same sessions: let one of them observe,
// or take the maximum and not the sum.
//
// The function it returns ends it. A store that can neither count nor list is [errors.ErrUnsupported], and so is
// observing a second manager: each needs a [Telemetry] of its own. A store that is down now is no error.
func (t *Telemetry) Observe(ctx context.Context, m *core.Manager, every time.Duration) (stop func() error, err error) {
	if every == 0 {
		every = defaultEvery
	}
	if every < time.Second {
		return nil, fmt.Errorf("otelsessions: Observe every %v; use at least a second, or 0 for %v", every, defaultEvery)
	}
	l := &live{manager: m, every: every}
	if err := l.ask(ctx); errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("otelsessions: live sessions: %w", err)
	}
	if !t.observed.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("otelsessions: a manager is observed already; make a Telemetry with a Manager name for each: %w", errors.ErrUnsupported)
	}
	stop, err = t.register(l)
	if err != nil {
		t.observed.Store(false)
	}
	return stop, err
}

// register makes the gauge and feeds it from l.
func (t *Telemetry) register(l *live) (stop func() error, err error) {
	gauge, err := t.meter.Int64ObservableGauge("session.live", metric.WithUnit("{session}"),
		metric.WithDescription("Sessions in the store that have not ended. Processes on one store report the same ones."))
	if err != nil {
		return nil, err
	}
	r, err := t.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		if n, ok := l.value(ctx); ok {
			o.ObserveInt64(gauge, n, t.sets[label{}])
		}
		// An error here would keep the reader from exporting every other metric; the manager has told of it.
		return nil
	}, gauge)
	if err != nil {
		return nil, err
	}
	return sync.OnceValue(func() error {
		t.observed.Store(false)
		return r.Unregister()
	}), nil
}

// live remembers how many sessions there were when the store was asked last.
type live struct {
	manager *core.Manager
	every   time.Duration

	mu    sync.Mutex // held while the store is asked, so that readers do not ask it at once
	asked time.Time
	n     int64
	known bool
}

// value returns the number of live sessions, if it is known.
func (l *live) value(ctx context.Context) (n int64, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.asked) >= l.every {
		_ = l.ask(ctx) // the manager tells of it
	}
	return l.n, l.known
}

// ask asks the store. It expects l.mu to be held, or nobody else to have l.
func (l *live) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	n, err := l.manager.Count(ctx)
	l.asked, l.n, l.known = time.Now(), int64(n), err == nil
	return err
}
