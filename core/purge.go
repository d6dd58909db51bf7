package core

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"
)

// How the manager purges: batch after batch, with pauses that let requests pass.
const (
	purgeBatch = 500
	purgePause = 10 * time.Millisecond
)

// purger is the goroutine that has the store delete expired records now and then.
type purger struct {
	manager *Manager
	store   Purger
	cancel  context.CancelFunc
	done    chan struct{}
}

// startPurger starts the goroutine for a store that needs one, unless the interval is negative. Without one it returns nil.
func startPurger(m *Manager, interval time.Duration) *purger {
	store, ok := m.store.(Purger)
	if !ok || interval < 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &purger{manager: m, store: store, cancel: cancel, done: make(chan struct{})}
	go p.run(ctx, interval)
	return p
}

func (p *purger) run(ctx context.Context, interval time.Duration) {
	defer close(p.done)
	for sleep(ctx, p.wait(interval)) {
		p.purge(ctx)
	}
}

// wait returns the interval, give or take a quarter, so that processes which started together do not keep step.
func (p *purger) wait(interval time.Duration) time.Duration {
	const steps = 1 << 16
	interval = min(interval, math.MaxInt64/2) // a quarter more must fit
	step := int64(interval) / 2 / steps
	return interval - interval/4 + time.Duration(step*int64(p.manager.jitter(steps)))
}

// purge deletes what has expired until a batch is not full. An error ends it until the next time.
func (p *purger) purge(ctx context.Context) {
	for {
		deleted, err := p.batch(ctx)
		if err != nil {
			p.report(ctx, err)
			return
		}
		if deleted < purgeBatch || !sleep(ctx, purgePause) {
			return
		}
	}
}

func (p *purger) batch(ctx context.Context) (int, error) {
	ctx, cancel := p.manager.bound(ctx)
	defer cancel()
	start := p.manager.clock()
	n, err := p.store.Purge(ctx, purgeBatch)
	p.manager.measured(ctx, start, "purge", "", err)
	return n, err
}

// report tells of a failure, which is none where there was nothing to do or the manager has been closed.
func (p *purger) report(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errors.ErrUnsupported) {
		return
	}
	p.manager.report(ctx, slog.LevelWarn, Event{Kind: EventStoreFailed, Operation: "purge", Err: failed("purge", err)})
}

// close ends the goroutine and waits for it, or returns the context's error if the store does not let it.
func (p *purger) close(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sleep waits for d. It returns false when ctx ends before that.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
