package adaptertest

import (
	"slices"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// formerCookieCases returns the cases about cookies of the same name that are not the session
// cookie.
func formerCookieCases() []testCase {
	return []testCase{
		{"C12/FormerCookies", ruleFormer, formerCookies},
		{"C12/OtherDomainAndPath", ruleOwn, formerOwn},
	}
}

func formerCookies(e *env) {
	e.serve(core.Options{FormerCookies: []core.FormerCookie{
		{Name: "sid"},
		{Domain: "example.com"},
		{Path: "/app"},
	}})
	b := e.newBrowser()
	for _, target := range []string{"/count", "/login", "/logout"} {
		a := b.get(target)
		lines := a.header.Values("Set-Cookie")
		if len(lines) != 4 {
			e.Errorf("%s sets %d cookies, want 4: %q", target, len(lines), lines)
		}
		for _, want := range []string{
			"sid=; Path=/; Max-Age=0",
			"session=; Path=/; Domain=example.com; Max-Age=0",
			"session=; Path=/app; Max-Age=0",
		} {
			if n := countPrefix(lines, want); n != 1 {
				e.Errorf("%s sets the cookie %q %d times, want once: %q", target, want, n, lines)
			}
		}
		if target == "/count" {
			b.cookies["session"] = tokenIn(lines)
			e.wantNoCookie(b.get("/read"))
		} else if token := tokenIn(lines); token != "" {
			b.cookies["session"] = token
		}
	}
	e.wantSessions(0, 1)
}

// countPrefix returns the number of lines with the prefix.
func countPrefix(lines []string, prefix string) (n int) {
	for _, line := range lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

// tokenIn returns the token that Set-Cookie lines set for the session, or "" if they set none.
func tokenIn(lines []string) string {
	i := slices.IndexFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "session=") && !strings.HasPrefix(line, "session=;")
	})
	if i < 0 {
		return ""
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(lines[i], "session="), ";")
	return token
}

func formerOwn(e *env) {
	own := map[string]struct {
		line   string
		passes bool
	}{
		"/path":   {"session=; Path=/old; Max-Age=0", true},
		"/domain": {"session=; Path=/; Domain=example.com; Max-Age=0", true},
		"/case":   {"session=; path=/old; max-age=0", true},
		"/name":   {"session2=; Path=/; Max-Age=0", true},
		"/same":   {"session=; Path=/; Max-Age=0", false},
	}
	for target, tc := range own {
		e.handleGet(target, func(c Context) error {
			c.SetHeader("Set-Cookie", tc.line)
			return countVisit(c)
		})
	}
	e.serve(core.Options{})
	for target, tc := range own {
		a := e.newBrowser().get(target)
		e.wantBody(a, "1")
		lines := a.header.Values("Set-Cookie")
		if len(tokenIn(lines)) != tokenLength {
			e.Errorf("%s: the session cookie is not set: %q", target, lines)
		}
		if passed := slices.Contains(lines, tc.line); passed != tc.passes {
			e.Errorf("%s: that the application's own cookie is set is %v, want %v: %q",
				target, passed, tc.passes, lines)
		}
		want := 1
		if tc.passes {
			want = 2
		}
		if len(lines) != want {
			e.Errorf("%s: the response sets %d cookies, want %d: %q",
				target, len(lines), want, lines)
		}
	}
}
