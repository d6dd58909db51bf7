package adaptertest

import (
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// floodCases returns the cases D1, D2 and D5, about clients without a session or with too many
// cookies.
func floodCases() []testCase {
	return []testCase{
		{"D1/AnonymousReads", ruleAnonymous, func(e *env) { flood(e, "/read") }},
		{"D2/LogoutWithoutSession", ruleAnonymous, func(e *env) { flood(e, "/logout") }},
		{"D5/HugeCookie", ruleTickets, floodHuge},
	}
}

func flood(e *env, target string) {
	const requests = 10_000
	e.serve(core.Options{})
	bad := 0
	request := func(int) (string, string) { return target, "" }
	e.dial().pipeline(requests, request, func(_ int, a *answer) {
		if a.status != http.StatusOK || len(a.header["Set-Cookie"]) > 0 {
			bad++
		}
	})
	if bad > 0 {
		e.Errorf("%d of %d answers set a cookie or are errors", bad, requests)
	}
	e.wantCalls(0)
}

// floodHuge sends more cookies than the server may accept. If it accepts them, only a few are
// tried.
func floodHuge(e *env) {
	e.serve(core.Options{})
	for _, size := range [...]int{40, 800} {
		calls := e.store.calls()
		cookies := "session=" + strings.Join(unknownTokens(size), "; session=")
		a := e.dial().roundTrip("/read", "Cookie: "+cookies)
		if a.status != http.StatusOK && (a.status < 400 || a.status > 499) {
			e.Errorf("the answer to a huge Cookie field is %d, want 200 or 4xx", a.status)
		}
		e.wantNoCookie(a)
		if n := e.store.calls() - calls; n > 4 {
			e.Errorf("%d tokens were tried, want at most 4", n)
		}
	}
}
