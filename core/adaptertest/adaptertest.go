// Package adaptertest is the conformance suite for adapters. It checks that the sessions of
// package [github.com/cloakroom-go/sessions/core] keep their rules under a web framework.
//
// The adapter's test tells the suite how its framework starts a server ([Server]) and how a
// handler does with it what every framework can do ([Context]). That takes less than a hundred
// lines. The suite brings the routes, a store that counts calls and fails on demand, and a
// client that talks to the server over a real connection:
//
//	func TestConformance(t *testing.T) {
//		adaptertest.Run(t, adaptertest.Server{Start: start})
//	}
//
// Each case is a subtest with a server of its own. Its failure states the rule that the
// adapter breaks.
//
// Most names of cases begin with a code, such as H2 in H2/PathFlush. The other tests of this
// project use the same codes for the same subject. The [legend] explains them.
//
// [legend]: https://github.com/cloakroom-go/sessions/blob/main/docs/testing.md#codes-in-test-names
package adaptertest

import (
	"slices"
	"testing"
)

// Run runs every case of the suite against the server. Each case is a subtest named after the
// case.
func Run(t *testing.T, s Server) {
	t.Helper()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newEnv(t, s, c.rule))
		})
	}
}

func cases() []testCase {
	return slices.Concat(
		cacheCases(), commitCases(), secrecyCases(), reuseCases(), mountCases(),
		failedCommitCases(), outageCases(), raceCases(), cookieCases(), floodCases(),
		lazyCases(), identityCases(), browserCases(), formerCookieCases(),
		leaveCases(), requireCases(), crossOriginCases(), csrfCases(), signOutCases(),
	)
}
