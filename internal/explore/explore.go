package explore

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// A Bubble runs body in a new bubble of testing/synctest, in which crypto/rand returns the same
// numbers each time. Together with the fake clock this makes runs repeat, down to the ids of the
// sessions. It passes synctest.Wait.
type Bubble func(body func(wait func()))

// Limits bounds the work for a scenario.
type Limits struct {
	Runs    int // how many schedules are run before the search is cut
	Samples int // how many random schedules are run if it is cut
	// Everything makes the search run also the schedules that must lead to the same result as
	// another.
	Everything bool
}

// Result is what the schedules of one scenario have led to.
type Result struct {
	Scenario  *Scenario
	Runs      int // complete runs
	Abandoned int // runs that were not completed, because equivalent ones had been run
	Cut       bool
	Excused   int // runs in which a rule was not applied, mostly because of the order on the wire
	Failures  []*Failure
	Outcomes  map[string]int // how many runs have led to the same, as text
}

// Failure is a rule that does not hold.
type Failure struct {
	Rule     string // as a sentence
	Runs     int    // how many runs break it
	Detail   string // what is wrong in the shortest of them
	Schedule string // the shortest of them
	steps    int
	switches int
}

// Explore runs the schedules of a scenario and checks the rules after each.
func Explore(s *Scenario, bubble Bubble, limits Limits) *Result {
	result := &Result{Scenario: s, Outcomes: map[string]int{}}
	tree := &search{everything: limits.Everything}
	for more := true; more; more = tree.backtrack() {
		if result.Runs+result.Abandoned >= limits.Runs {
			result.Cut = true
			break
		}
		result.run(bubble, tree, limits.Everything)
	}
	if result.Cut {
		random := &sampler{random: rand.New(rand.NewPCG(1, 2))} //nolint:gosec // It must repeat.
		for range limits.Samples {
			result.run(bubble, random, limits.Everything)
		}
	}
	slices.SortFunc(result.Failures, func(a, b *Failure) int {
		return cmp.Compare(b.Runs, a.Runs)
	})
	return result
}

// run runs one schedule.
func (r *Result) run(bubble Bubble, c chooser, everything bool) {
	bubble(func(wait func()) {
		w := newWorld(r.Scenario, wait)
		w.everything = everything
		defer w.close()
		r.play(w, c)
	})
}

// play runs one schedule in a world.
func (r *Result) play(w *world, c chooser) {
	if !w.play(c) {
		r.Abandoned++
		return
	}
	r.Runs++
	w.observe()
	r.Outcomes[w.outcome()]++
	for _, rule := range rules() {
		if detail := rule.check(w); detail != "" {
			r.fail(w, rule.sentence, detail)
		}
	}
	if w.excused {
		r.Excused++
	}
}

// fail counts a run that breaks a rule, and keeps it if it is the shortest.
func (r *Result) fail(w *world, sentence, detail string) {
	i := slices.IndexFunc(r.Failures, func(f *Failure) bool { return f.Rule == sentence })
	if i < 0 {
		i = len(r.Failures)
		r.Failures = append(r.Failures, &Failure{Rule: sentence})
	}
	f := r.Failures[i]
	f.Runs++
	steps, switches := len(w.trace), w.switches()
	if f.Runs > 1 && (steps > f.steps || steps == f.steps && switches >= f.switches) {
		return
	}
	f.steps, f.switches, f.Detail, f.Schedule = steps, switches, detail, w.describe()
}

// String describes the failure with its schedule.
func (f *Failure) String() string {
	return fmt.Sprintf("%s\n  %s; in %d runs, the shortest:\n%s",
		f.Rule, f.Detail, f.Runs, f.Schedule)
}
