// Package storetest checks that a session store keeps its contract, every sentence of it: see
// [github.com/cloakroom-go/sessions/core/store]. It is the whole test that a store needs:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Config{
//			New: func(t testing.TB) store.Store { return mystore.New(client) },
//		})
//	}
//
// Each case is a subtest that names the rule it checks, and says in its failure what the rule is and what breaks for
// users without it. Run it under the race detector.
//
// # What a store may assume
//
// Keys and subjects differ between cases and between runs, and what a case stored it deletes, so a server may be shared
// by all cases, by parallel runs and by data that is no business of the suite. Optional interfaces are found by
// assertion. Cases for one that is missing, or whose methods answer [errors.ErrUnsupported], are skipped.
//
// # Time
//
// A store that takes the time from this process says so with [Config.InProcess]: its cases about expiry run in a bubble
// of [testing/synctest] and pass hours in no time. For any other store they really wait, side by side, a few seconds.
package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Config says what to test. Only New is needed.
type Config struct {
	// New returns the store. It is called once for each case; whether the cases share their data is up to it. What has to
	// be closed in the end is registered with t.Cleanup.
	New func(t testing.TB) store.Store
	// Second returns another handle on the data of a store that New made, as a second process would have it: with its own
	// connections and its own caches. With it the races run across both handles. Nil: they run within the one.
	Second func(t testing.TB, first store.Store) store.Store
	// InProcess says that the store takes the time from [time.Now] in this process and has no goroutine that outlives a
	// case, so that a bubble of [testing/synctest] can move its clock.
	InProcess bool
	// Resolution is by how much the store rounds an expiry up, a second at most. Zero: not at all.
	Resolution time.Duration
	// TooLarge is a length of Data that the store must refuse with [store.ErrTooLarge]. Zero: there is none, or the suite
	// had better not try it. The suite itself saves up to 64 KiB in one record and some MiB altogether.
	TooLarge int
}

// Run tests the store that config describes, each case in a subtest.
func Run(t *testing.T, config Config) {
	t.Helper()
	if err := config.check(); err != "" {
		t.Fatal(err)
	}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					if c.clock && !config.InProcess {
						t.Parallel() // these mostly wait
					}
					c.execute(t, config, func(tb testing.TB, run func(testing.TB)) { tb.Helper(); run(tb) })
				})
			}
		})
	}
}

func (c *Config) check() string {
	switch {
	case c.New == nil:
		return "storetest: Config.New is missing: it makes the store to test"
	case c.Resolution < 0 || c.Resolution > time.Second:
		return "storetest: Config.Resolution must be between zero and a second: a store may not round an expiry further"
	}
	return ""
}

// group is a set of cases under one name.
type group struct {
	name  string
	cases []testCase
}

// testCase checks one rule.
type testCase struct {
	name  string
	rule  string // what must hold, and what goes wrong for users when it does not
	clock bool   // waits for records to expire
	run   func(e *env)
}

func groups() []group {
	return []group{
		{"Save", saveCases()},
		{"Version", versionCases()},
		{"Delete", deleteCases()},
		{"Data", dataCases()},
		{"Expiry", expiryCases()},
		{"Touch", touchCases()},
		{"Index", indexCases()},
		{"List", listCases()},
		{"Purge", purgeCases()},
		{"Count", countCases()},
		{"Context", contextCases()},
		{"Hostile", hostileCases()},
		{"Races", raceCases()},
	}
}

// execute runs the case on a store of its own. within is given the case as a function of the test it reports to; the
// suite's own tests put a recorder there.
func (c *testCase) execute(t *testing.T, config Config, within func(tb testing.TB, run func(testing.TB))) {
	t.Helper()
	run := func(tb testing.TB) {
		tb.Helper()
		c.run(newEnv(tb, c, &config))
	}
	if !c.clock || !config.InProcess {
		within(t, run)
		return
	}
	synctest.Test(t, func(t *testing.T) { within(t, run) })
}
