package bench

import (
	"context"
	"errors"
	"fmt"
)

// result is what a contender takes beyond the bare framework in a use case with a payload. A failure is of a contender that
// cannot do it at all.
type result struct {
	contender *contender
	use       string
	payload   string
	net       figure
	rounds    []figure // whose median net is
	failure   error
}

// results can be searched.
type results []*result

// where returns the results that fit.
func (all results) where(fits func(r *result) bool) results {
	var out results
	for _, r := range all {
		if fits(r) {
			out = append(out, r)
		}
	}
	return out
}

// ours returns this library's result on a framework with a store, nil if there is none: that which is not lazy.
func (all results) ours(framework, store, use string) *result {
	for _, r := range all {
		if c := r.contender; c.framework == framework && c.store == store && r.use == use && r.failure == nil && c.library == cloakroom {
			return r
		}
	}
	return nil
}

// bestPeer returns the fastest of the others on a framework with a store, nil if there is none.
func (all results) bestPeer(framework, store, use string) *result {
	return best(all.where(func(r *result) bool {
		c := r.contender
		return c.framework == framework && c.store == store && r.use == use && r.failure == nil && !c.isOurs()
	}))
}

// entry is a contender that is to be measured in a use case, in a world.
type entry struct {
	contender *contender
	use       useCase
	world     world
}

// compare measures all entries in turn, tapes among them. The bare frameworks are measured with them and subtracted.
func compare(ctx context.Context, p *pace, entries []entry, tapes ...*tape) (results, error) {
	var racers []racer
	var trials []*trial
	var out results
	defer func() {
		for _, t := range trials {
			t.close()
		}
	}()
	for _, t := range tapes {
		racers = append(racers, t)
	}
	for _, e := range entries {
		t, err := newTrial(ctx, e.contender, e.use, e.world)
		switch {
		case err == nil:
			trials, racers = append(trials, t), append(racers, t)
		case e.contender.isOurs(), !e.contender.keepsSessions():
			return nil, err
		default:
			out = append(out, &result{contender: e.contender, use: e.use.name, payload: e.world.payload.name, failure: err})
		}
	}
	if err := race(ctx, p, racers); err != nil {
		return nil, err
	}
	return settle(trials, out)
}

// settle subtracts the bare frameworks.
func settle(trials []*trial, out results) (results, error) {
	bare := map[string][]figure{}
	key := func(t *trial) string { return t.contender.framework + t.use.name }
	for _, t := range trials {
		if t.contender.isBare() {
			bare[key(t)] = t.figures
		}
	}
	for _, t := range trials {
		floor, ok := bare[key(t)]
		if !ok {
			return nil, fmt.Errorf("%v, case %s: %w", t.contender, t.use.name, errNoBare)
		}
		r := &result{contender: t.contender, use: t.use.name, payload: t.world.payload.name, rounds: t.figures}
		if !t.contender.isBare() {
			r.rounds = beyond(t.figures, floor)
		}
		r.net = medianFigure(r.rounds)
		out = append(out, r)
	}
	return out, nil
}

var errNoBare = errors.New("the bare framework was not measured")
