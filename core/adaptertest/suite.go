package adaptertest

import (
	"slices"
	"testing"
)

// Run runs every case of the suite against the server, as a subtest that is named after the case.
func Run(t *testing.T, s Server) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newTrial(t, s, c.rule))
		})
	}
}

// testCase is one rule and what shows that it is kept.
type testCase struct {
	name string
	rule string
	run  func(x *trial)
}

// cases returns all cases in the order of the rules.
func cases() []testCase {
	return slices.Concat(
		cacheCases(), commitCases(), secrecyCases(), reuseCases(), mountCases(), failedCommitCases(),
		outageCases(), raceCases(), cookieCases(), floodCases(), lazyCases(), identityCases(),
	)
}
