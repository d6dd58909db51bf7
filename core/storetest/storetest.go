// Package storetest checks that a session store keeps every rule of its contract, which package
// [github.com/cloakroom-go/sessions/core/store] states. A store needs no other conformance test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Config{
//			New: func(t testing.TB) store.Store { return mystore.New(client) },
//		})
//	}
//
// Each case is a subtest. Its failure states the rule that the store breaks and what goes
// wrong for users without it. Run the tests with the race detector.
//
// Some names of cases begin with a code, such as R1 in Races/R1DeleteWins. The other tests of
// this project use the same codes for the same subject. The [legend] explains them.
//
// # Shared servers
//
// Keys and subjects differ between cases and between runs, and each case deletes what it
// stored. A server may therefore be shared by all cases, by parallel runs and by data of other
// applications.
//
// # Optional interfaces
//
// The suite finds optional interfaces by type assertion. It skips the cases of an interface
// that the store does not implement, or whose methods return [errors.ErrUnsupported].
//
// # Time
//
// With [Config.InProcess] the cases about expiry run in a bubble of [testing/synctest], where
// hours pass at once. For any other store these cases run in parallel and wait for a few
// seconds each.
//
// [legend]: https://github.com/cloakroom-go/sessions/blob/main/docs/testing.md#codes-in-test-names
package storetest

import "testing"

// Run tests the store that config describes. Each case is a subtest.
func Run(t *testing.T, config Config) {
	t.Helper()
	if err := config.check(); err != "" {
		t.Fatal(err)
	}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					if c.waits && !config.InProcess {
						t.Parallel()
					}
					c.execute(t, config, func(tb testing.TB, run func(testing.TB)) {
						tb.Helper()
						run(tb)
					})
				})
			}
		})
	}
}

// group is a set of cases under one name.
type group struct {
	name  string
	cases []testCase
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
		{"SubjectKeys", subjectKeysCases()},
		{"List", listCases()},
		{"Purge", purgeCases()},
		{"Count", countCases()},
		{"Context", contextCases()},
		{"Hostile", hostileCases()},
		{"Races", raceCases()},
	}
}
