package explore_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/cloakroom-go/sessions/internal/explore"
)

// The search leaves out schedules that lead to the same as others, and no other schedules.
func TestSearchReachesEverything(t *testing.T) {
	scenarios := append(explore.Pairs(), explore.PairsAndOther()...)
	for _, name := range []string{
		"a visitor with a cart: write, login ann",
		"a user: renew, step-up",
		"a user: count and commit, logout",
		"a user: write, login ann; operator: revoke all",
	} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(scenarios, func(s explore.Scenario) bool { return s.String() == name })
			limits := explore.Limits{Runs: 2000, Samples: 2000}
			few := explore.Explore(&scenarios[i], bubble(t), limits)
			limits.Everything = true
			if raceEnabled {
				limits.Runs, limits.Samples = 400, 200
			}
			all := explore.Explore(&scenarios[i], bubble(t), limits)
			t.Logf("%d runs instead of %d, %d outcomes", few.Runs, all.Runs, len(few.Outcomes))
			for _, outcome := range slices.Sorted(maps.Keys(all.Outcomes)) {
				if few.Outcomes[outcome] == 0 {
					t.Errorf("the search does not reach\n%s", outcome)
				}
			}
		})
	}
}
