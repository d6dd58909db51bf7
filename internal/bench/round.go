package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// racer is measured in slots, in turn with others.
type racer interface {
	calibrate(slot time.Duration) error
	slot(ctx context.Context) error
	check(ctx context.Context) error
}

// pace is how long to measure.
type pace struct {
	rounds int
	slot   time.Duration
	random *rand.Rand
}

// race measures each racer once in each round, in an order drawn anew.
func race(ctx context.Context, p *pace, racers []racer) error {
	for _, r := range racers {
		if err := r.calibrate(p.slot); err != nil {
			return err
		}
	}
	err := p.shuffled(len(racers), func(i int) error { return racers[i].slot(ctx) })
	for _, r := range racers {
		err = errors.Join(err, r.check(ctx))
	}
	return err
}

// shuffled calls do for each of n in each round, in an order drawn anew.
func (p *pace) shuffled(n int, do func(i int) error) error {
	for range p.rounds {
		for _, i := range p.random.Perm(n) {
			if err := do(i); err != nil {
				return err
			}
		}
	}
	return nil
}
