package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// The manager purges in batches, with pauses in which requests can proceed.
const (
	purgeBatch = 500
	purgePause = 10 * time.Millisecond
)

// purgeLoop is the goroutine that has the store delete expired records.
type purgeLoop struct {
	backend *backend
	store   Purger
	cancel  context.CancelFunc
	done    chan struct{}
}

// startPurger starts the goroutine. It returns nil if the store needs none, or if the interval
// is negative.
func startPurger(b *backend, interval time.Duration) *purgeLoop {
	store, ok := b.store.(Purger)
	if !ok || interval < 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &purgeLoop{backend: b, store: store, cancel: cancel, done: make(chan struct{})}
	go p.run(ctx, interval)
	return p
}

func (p *purgeLoop) run(ctx context.Context, interval time.Duration) {
	defer close(p.done)
	p.backend.advise(ctx)
	for sleep(ctx, spread(interval)) {
		p.purge(ctx)
	}
}

// spread returns the interval with a jitter of 25 %, so that processes that were started
// together do not purge together.
func spread(interval time.Duration) time.Duration {
	const steps = 1 << 16
	interval = min(interval, math.MaxInt64/2) // A quarter more must not overflow.
	step := int64(interval) / 2 / steps
	return interval - interval/4 + time.Duration(step*int64(jitter(steps)))
}

// purge deletes expired records until a batch is not full or fails.
func (p *purgeLoop) purge(ctx context.Context) {
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

// batch deletes a batch of expired records. A panic of the store is an error, because it would
// end the process here.
func (p *purgeLoop) batch(ctx context.Context) (deleted int, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("the store panicked with a %T", panicked)
		}
	}()
	return p.backend.purge(ctx, p.store, purgeBatch)
}

// report reports a failure. It is none if the store has nothing to purge, or if the manager has
// been closed.
func (p *purgeLoop) report(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errors.ErrUnsupported) {
		return
	}
	const operation = "purge"
	err = wrapStoreError(operation, err)
	e := Event{Kind: EventStoreFailed, Operation: operation, Err: err, Context: ctx}
	p.backend.report(slog.LevelWarn, e)
}

// close ends the goroutine and waits for it. It returns the context's error if the store
// blocks.
func (p *purgeLoop) close(ctx context.Context) error {
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
