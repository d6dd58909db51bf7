package bench

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// writers is how many requests change one session at a time.
const writers = 16

// contest is a contender whose writers all change one session.
type contest struct {
	contender     *contender
	world         world
	each          int // changes of each writer
	together, one []float64
	lost, refused []float64 // shares of the changes
}

// contended is the outcome of a contest.
type contended struct {
	contender          *contender
	together, one      time.Duration // for all changes
	lost, refused, all int
}

// run makes the changes one after another and then all at once, each time in a session of its own.
func (c *contest) run(ctx context.Context) error {
	s, err := c.contender.build(c.world)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.prove(ctx); err != nil {
		return err
	}
	cookie, err := s.open(ctx)
	if err != nil {
		return err
	}
	x := s.exchange(ctx, change)
	x.carry(cookie)
	began := time.Now()
	for range writers * c.each {
		if x.send() != http.StatusOK {
			return errFailed
		}
	}
	c.one = append(c.one, float64(time.Since(began)))
	if err := s.expect(ctx, cookie, 1+writers*c.each); err != nil {
		return err
	}
	return c.runTogether(ctx, s)
}

func (c *contest) runTogether(ctx context.Context, s *site) error {
	cookie, err := s.open(ctx)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	var refused atomic.Int64
	began := time.Now()
	for range writers {
		x := s.exchange(ctx, change)
		x.carry(cookie)
		group.Go(func() {
			for range c.each {
				if x.send() != http.StatusOK {
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	c.together = append(c.together, float64(time.Since(began)))
	n, err := s.counter(ctx, cookie)
	c.refused = append(c.refused, float64(refused.Load()))
	c.lost = append(c.lost, float64(1+writers*c.each-int(refused.Load())-n))
	return err
}

// compareContention measures the contenders in turn.
func compareContention(ctx context.Context, p *pace, w world, all []*contender, each int) ([]contended, error) {
	contests := make([]*contest, len(all))
	for i, c := range all {
		contests[i] = &contest{contender: c, world: w, each: each}
	}
	err := p.shuffled(len(contests), func(i int) error { return contests[i].run(ctx) })
	var out []contended
	for _, c := range contests {
		out = append(out, contended{
			c.contender, time.Duration(median(c.together)), time.Duration(median(c.one)),
			int(median(c.lost)), int(median(c.refused)), writers * each,
		})
	}
	return out, err
}
