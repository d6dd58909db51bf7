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

// crowd is a contender with many sessions, each of which is read in turn.
type crowd struct {
	contender *contender
	site      *site
	cookies   []string
	rates     map[int][]float64 // requests per second, by processors
}

// newCrowd starts so many sessions.
func newCrowd(ctx context.Context, c *contender, w world, sessions int) (*crowd, error) {
	s, err := c.build(w)
	if err != nil {
		return nil, err
	}
	out := &crowd{contender: c, site: s, rates: map[int][]float64{}}
	for range sessions {
		cookie, err := s.open(ctx)
		if err != nil {
			return out, fmt.Errorf("%v: %w", c, err)
		}
		if c.isBare() {
			cookie = bareField
		}
		out.cookies = append(out.cookies, cookie)
	}
	return out, nil
}

// run lets a worker on each of some processors read sessions, each worker its own, for a while.
func (c *crowd) run(ctx context.Context, processors int, slot time.Duration) error {
	before := runtime.GOMAXPROCS(processors)
	defer runtime.GOMAXPROCS(before)
	runtime.GC()
	var group sync.WaitGroup
	var total, failed atomic.Int64
	began := time.Now()
	for n := range processors {
		share := c.cookies[n*len(c.cookies)/processors : (n+1)*len(c.cookies)/processors]
		group.Go(func() {
			sent, ok := readFor(c.site.exchange(ctx, read), share, began.Add(slot))
			total.Add(int64(sent))
			if !ok {
				failed.Add(1)
			}
		})
	}
	group.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%v: %w", c.contender, errFailed)
	}
	c.rates[processors] = append(c.rates[processors], perSecond(int(total.Load()), time.Since(began)))
	return nil
}

// readFor sends requests with one cookie after the other until the time has come.
func readFor(x exchange, cookies []string, until time.Time) (sent int, ok bool) {
	for ; sent%64 != 0 || time.Now().Before(until); sent++ {
		x.carry(cookies[sent*7919%len(cookies)]) // a prime, so that neighbours in time are none in memory
		if x.send() != http.StatusOK {
			return sent, false
		}
	}
	return sent, true
}

// throughput is what a contender reads in a second on one processor and on two.
type throughput struct {
	contender *contender
	one, two  float64
}

// compareParallel measures the contenders in turn.
func compareParallel(ctx context.Context, p *pace, w world, all []*contender, sessions int) ([]throughput, error) {
	crowds := make([]*crowd, 0, len(all))
	defer func() {
		for _, c := range crowds {
			c.site.close()
		}
	}()
	for _, c := range all {
		crowd, err := newCrowd(ctx, c, w, sessions)
		if err != nil {
			return nil, err
		}
		crowds = append(crowds, crowd)
	}
	err := p.shuffled(len(crowds), func(i int) error {
		return errors.Join(crowds[i].run(ctx, 1, p.slot), crowds[i].run(ctx, 2, p.slot))
	})
	var out []throughput
	for _, c := range crowds {
		out = append(out, throughput{c.contender, median(c.rates[1]), median(c.rates[2])})
	}
	return out, err
}
