package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// schedule says how long to measure, and draws the order of each round.
type schedule struct {
	rounds int
	slot   time.Duration
	random *rand.Rand
}

// slotMeasurer is measured in slots, in turn with others.
type slotMeasurer interface {
	calibrate(slot time.Duration) error
	measureSlot(ctx context.Context) error
	check(ctx context.Context) error
}

// measureInTurn measures one slot of each measurer in each round.
func measureInTurn(ctx context.Context, s *schedule, all []slotMeasurer) error {
	for _, m := range all {
		if err := m.calibrate(s.slot); err != nil {
			return err
		}
	}
	err := s.inTurn(len(all), func(i int) error { return all[i].measureSlot(ctx) })
	for _, m := range all {
		err = errors.Join(err, m.check(ctx))
	}
	return err
}

// inTurn calls do once for each of 0 to n-1 in each round, in an order that is drawn anew.
func (s *schedule) inTurn(n int, do func(i int) error) error {
	for range s.rounds {
		for _, i := range s.random.Perm(n) {
			if err := do(i); err != nil {
				return err
			}
		}
	}
	return nil
}
