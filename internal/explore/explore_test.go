package explore_test

import (
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/cloakroom-go/sessions/internal/explore"
)

// limits keeps the tests at half a minute on one processor, and below a minute with the race
// detector, which makes them eight times as slow. EXPLORE=100000 runs up to so many schedules of
// each scenario instead, which takes a quarter of an hour.
func limits(t *testing.T) explore.Limits {
	t.Helper()
	if text := os.Getenv("EXPLORE"); text != "" {
		runs, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return explore.Limits{Runs: runs, Samples: runs / 4}
	}
	if raceEnabled {
		return explore.Limits{Runs: 40, Samples: 20}
	}
	return explore.Limits{Runs: 500, Samples: 200}
}

// Two requests of one browser.
func TestPairs(t *testing.T) { exploreAll(t, explore.Pairs()) }

// Two requests of one browser, and one that ends sessions from another device or an operator.
func TestPairsAndOther(t *testing.T) { exploreAll(t, explore.PairsAndOther()) }

// Three requests of one browser.
func TestTriples(t *testing.T) { exploreAll(t, explore.Triples()) }

// summary counts over all scenarios of a test.
type summary struct {
	scenarios, failed, cut, runs, abandoned, excused int
	rules                                            map[string]*broken
}

// broken counts how often a rule is broken.
type broken struct{ scenarios, runs int }

func exploreAll(t *testing.T, scenarios []explore.Scenario) {
	t.Helper()
	// One processor is faster, because only one goroutine has something to do at a time.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	all := summary{rules: map[string]*broken{}}
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.String(), func(t *testing.T) {
			r := explore.Explore(s, bubble(t), limits(t))
			for _, f := range r.Failures {
				t.Error(f)
			}
			if r.Cut {
				t.Logf("cut after %d runs", r.Runs)
			}
			all.add(r)
		})
	}
	all.log(t)
}

func (s *summary) add(r *explore.Result) {
	s.scenarios++
	s.runs += r.Runs
	s.abandoned += r.Abandoned
	s.excused += r.Excused
	if r.Cut {
		s.cut++
	}
	if len(r.Failures) > 0 {
		s.failed++
	}
	for _, f := range r.Failures {
		if s.rules[f.Rule] == nil {
			s.rules[f.Rule] = &broken{}
		}
		s.rules[f.Rule].scenarios++
		s.rules[f.Rule].runs += f.Runs
	}
}

func (s *summary) log(t *testing.T) {
	t.Helper()
	t.Logf("%d scenarios, %d of them cut; %d runs, and %d that repeat others and were abandoned",
		s.scenarios, s.cut, s.runs, s.abandoned)
	t.Logf("%d runs in which a rule was excused", s.excused)
	if s.failed > 0 {
		t.Logf("%d scenarios fail", s.failed)
	}
	for _, rule := range slices.Sorted(maps.Keys(s.rules)) {
		b := s.rules[rule]
		t.Logf("broken in %d scenarios, %d runs: %s", b.scenarios, b.runs, rule)
	}
}

// bubble returns a function that runs each schedule in a bubble of its own.
func bubble(t *testing.T) explore.Bubble {
	t.Helper()
	return func(body func(wait func())) {
		synctest.Test(t, func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, 1)
			body(synctest.Wait)
		})
	}
}
