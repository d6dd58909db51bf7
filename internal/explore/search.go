package explore

import (
	"math/rand/v2"
	"slices"
)

// A chooser decides what happens next in a run. It returns false to abandon the run.
type chooser interface {
	choose(options []step) (step, bool)
}

// search is a depth-first search through the schedules of a scenario. It chooses as in the
// schedule before, up to the last decision with an option that has not been tried.
type search struct {
	everything bool // also run schedules that must lead to the same result as another
	decisions  []decision
	depth      int // the number of decisions made in the current run
}

// decision is one decision of the current schedule.
type decision struct {
	options []step
	chosen  int
	// asleep has the steps that need not be chosen here or below, until a step that affects
	// them: an equivalent schedule has been run.
	asleep []step
}

// choose makes the next decision of the run. It abandons the run if all options are asleep.
func (s *search) choose(options []step) (step, bool) {
	if s.depth == len(s.decisions) {
		s.decisions = append(s.decisions, decision{
			options: slices.Clone(options), chosen: -1, asleep: s.inherited(),
		})
		s.decisions[s.depth].next()
	}
	d := &s.decisions[s.depth]
	if !slices.Equal(d.options, options) {
		panic("explore: a run does not repeat: it has other options than the one before")
	}
	if d.chosen == len(options) {
		return step{}, false
	}
	s.depth++
	return options[d.chosen], true
}

// inherited returns the steps that are asleep after the last decision.
func (s *search) inherited() []step {
	if s.depth == 0 || s.everything {
		return nil
	}
	d := &s.decisions[s.depth-1]
	var asleep []step
	for _, t := range slices.Concat(d.asleep, d.options[:d.chosen]) {
		if t.commutes(&d.options[d.chosen]) {
			asleep = append(asleep, t)
		}
	}
	return asleep
}

// next moves on to the next option that is not asleep. It reports whether there is one.
func (d *decision) next() bool {
	for d.chosen++; d.chosen < len(d.options); d.chosen++ {
		if !slices.ContainsFunc(d.asleep, func(t step) bool { return t.is(&d.options[d.chosen]) }) {
			return true
		}
	}
	return false
}

// backtrack prepares the next run. It reports whether there is one.
func (s *search) backtrack() bool {
	s.depth = 0
	for n := len(s.decisions) - 1; n >= 0; n-- {
		if s.decisions[n].next() {
			s.decisions = s.decisions[:n+1]
			return true
		}
	}
	return false
}

// sampler chooses at random, for scenarios with more schedules than can be run.
type sampler struct{ random *rand.Rand }

func (s *sampler) choose(options []step) (step, bool) {
	return options[s.random.IntN(len(options))], true
}
