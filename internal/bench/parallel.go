package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// parallelBenchmark measures a subject with many sessions, which are read one after another on
// several processors.
type parallelBenchmark struct {
	subject *subject
	app     *app
	cookies []string
	rates   map[int][]float64 // requests per second, by the number of processors
}

// newParallelBenchmark builds the app and starts the given number of sessions.
func newParallelBenchmark(
	ctx context.Context, s *subject, env environment, sessions int,
) (*parallelBenchmark, error) {
	a, err := s.build(env)
	if err != nil {
		return nil, err
	}
	out := &parallelBenchmark{subject: s, app: a, rates: map[int][]float64{}}
	for range sessions {
		cookie, err := a.startSession(ctx)
		if err != nil {
			return out, fmt.Errorf("%v: %w", s, err)
		}
		if s.isBare() {
			cookie = cookieWithoutSession
		}
		out.cookies = append(out.cookies, cookie)
	}
	return out, nil
}

// run lets one goroutine for each processor read sessions of its own for the duration of a
// slot.
func (b *parallelBenchmark) run(ctx context.Context, processors int, slot time.Duration) error {
	before := runtime.GOMAXPROCS(processors)
	defer runtime.GOMAXPROCS(before)
	requesters := make([]requester, processors)
	for n := range requesters {
		var err error
		if requesters[n], err = b.app.connectedRequester(ctx, actionRead); err != nil {
			return err
		}
	}
	runtime.GC()
	var group sync.WaitGroup
	var total, failed atomic.Int64
	began := time.Now()
	for n := range processors {
		share := b.cookies[n*len(b.cookies)/processors : (n+1)*len(b.cookies)/processors]
		group.Go(func() {
			sent, ok := readUntil(requesters[n], share, began.Add(slot))
			total.Add(int64(sent))
			if !ok {
				failed.Add(1)
			}
		})
	}
	group.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%v: %w", b.subject, errFailed)
	}
	rate := perSecond(int(total.Load()), time.Since(began))
	b.rates[processors] = append(b.rates[processors], rate)
	return nil
}

// readUntil sends requests with the cookies in turn until the given time.
func readUntil(r requester, cookies []string, until time.Time) (sent int, ok bool) {
	const step = 7919 // a prime, so that consecutive requests use sessions far apart in memory
	for ; sent%64 != 0 || time.Now().Before(until); sent++ {
		r.setCookie(cookies[sent*step%len(cookies)])
		if r.send() != http.StatusOK {
			return sent, false
		}
	}
	return sent, true
}

// parallelResult is how many requests per second a subject handles on one processor and on
// two: medians over the rounds.
type parallelResult struct {
	subject  *subject
	one, two float64
}

// measureParallel measures the subjects in turn.
func measureParallel(
	ctx context.Context, s *schedule, env environment, all []*subject, sessions int,
) ([]parallelResult, error) {
	benchmarks := make([]*parallelBenchmark, 0, len(all))
	defer func() {
		for _, b := range benchmarks {
			b.app.close()
		}
	}()
	for _, sub := range all {
		b, err := newParallelBenchmark(ctx, sub, env, sessions)
		if err != nil {
			return nil, err
		}
		benchmarks = append(benchmarks, b)
	}
	err := s.inTurn(len(benchmarks), func(i int) error {
		b := benchmarks[i]
		return errors.Join(b.run(ctx, 1, s.slot), b.run(ctx, 2, s.slot))
	})
	var out []parallelResult
	for _, b := range benchmarks {
		out = append(out, parallelResult{b.subject, median(b.rates[1]), median(b.rates[2])})
	}
	return out, err
}
