package bench

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// writers is how many requests change one session at the same time.
const writers = 16

// contentionBenchmark measures a subject whose writers all change one session.
type contentionBenchmark struct {
	subject                *subject
	environment            environment
	changesPerWriter       int
	concurrent, sequential []float64 // nanoseconds for all changes, one value for each round
	lost, refused          []float64 // changes, one value for each round
}

// contentionResult is the outcome of a contentionBenchmark: medians over the rounds.
type contentionResult struct {
	subject                *subject
	concurrent, sequential time.Duration // for all changes
	lost, refused, all     int           // changes
}

// run makes the changes one after another and then concurrently, each time in a session of its
// own.
func (b *contentionBenchmark) run(ctx context.Context) error {
	a, err := b.subject.build(b.environment)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.verify(ctx); err != nil {
		return err
	}
	cookie, err := a.startSession(ctx)
	if err != nil {
		return err
	}
	r := a.requester(ctx, actionChange)
	r.setCookie(cookie)
	began := time.Now()
	for range writers * b.changesPerWriter {
		if r.send() != http.StatusOK {
			return errFailed
		}
	}
	b.sequential = append(b.sequential, float64(time.Since(began)))
	if err := a.expect(ctx, cookie, 1+writers*b.changesPerWriter); err != nil {
		return err
	}
	return b.runConcurrent(ctx, a)
}

func (b *contentionBenchmark) runConcurrent(ctx context.Context, a *app) error {
	cookie, err := a.startSession(ctx)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var refused atomic.Int64
	began := time.Now()
	for range writers {
		r := a.requester(ctx, actionChange)
		r.setCookie(cookie)
		group.Go(func() {
			for range b.changesPerWriter {
				if r.send() != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	b.concurrent = append(b.concurrent, float64(time.Since(began)))
	n, err := a.counter(ctx, cookie)
	b.refused = append(b.refused, float64(refused.Load()))
	b.lost = append(b.lost, float64(1+writers*b.changesPerWriter-int(refused.Load())-n))
	return err
}

// measureContention measures the subjects in turn.
func measureContention(
	ctx context.Context, s *schedule, env environment, all []*subject, changesPerWriter int,
) ([]contentionResult, error) {
	benchmarks := make([]*contentionBenchmark, len(all))
	for i, sub := range all {
		benchmarks[i] = &contentionBenchmark{
			subject: sub, environment: env, changesPerWriter: changesPerWriter,
		}
	}
	err := s.inTurn(len(benchmarks), func(i int) error { return benchmarks[i].run(ctx) })
	var out []contentionResult
	for _, b := range benchmarks {
		out = append(out, contentionResult{
			b.subject, time.Duration(median(b.concurrent)), time.Duration(median(b.sequential)),
			int(median(b.lost)), int(median(b.refused)), writers * changesPerWriter,
		})
	}
	return out, err
}
