package adaptertest

import (
	"errors"
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
		{"C12/AllAtOnce", ruleOwn, formerAllAtOnce},
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

// formerAllAtOnce has the application set a cookie for another domain and one in place of ours, in
// every response, and compares what the browser is sent with ours and without.
func formerAllAtOnce(e *env) {
	const (
		cleanup = "session=; Domain=old.example; Max-Age=0; Path=/"
		rival   = "session=theirs; Path=/"
		flags   = "; HttpOnly; Secure; SameSite=Lax"
		removed = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + flags
		set     = "; Path=/; Max-Age=2592000" + flags
	)
	former := []string{
		"sid=; Path=/; " + removed, "session=; Path=/app; Domain=former.example; " + removed,
	}
	for target, h := range map[string]Handler{
		"/own/read": readVisits, "/own/count": countVisit, "/own/logout": logOut,
		"/own/renew": func(c Context) error {
			if err := errors.Join(c.Get().Renew(), c.Commit()); err != nil {
				return err
			}
			return countVisit(c)
		},
	} {
		e.handleGet(target, func(c Context) error {
			c.AddHeader("Set-Cookie", cleanup)
			c.AddHeader("Set-Cookie", rival)
			return h(c)
		})
	}
	e.serve(core.Options{FormerCookies: []core.FormerCookie{
		{Name: "sid"}, {Domain: "former.example", Path: "/app"},
	}})
	b := e.newBrowser()
	for _, step := range []struct{ target, ours string }{
		{"/own/read", ""},
		{"/own/count", set},
		{"/own/read", ""},
		{"/own/renew", set},
		{"/own/logout", "=; Path=/; " + removed},
	} {
		token := b.token()
		lines := b.get(step.target).header.Values("Set-Cookie")
		want := []string{cleanup, rival}
		if step.ours != "" {
			want = append([]string{cleanup}, former...)
			lines, token = withoutOurs(e, step.target, lines, step.ours)
		}
		b.cookies["session"] = token // The browser has cookies of other domains apart.
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			e.Errorf("%s: beside ours Set-Cookie is %q, want %q", step.target, lines, want)
		}
	}
}

// withoutOurs returns the lines without that of the session cookie, which ends with attributes,
// and the token in it.
func withoutOurs(
	e *env, target string, lines []string, attributes string,
) (others []string, token string) {
	e.Helper()
	i := slices.IndexFunc(lines, func(line string) bool {
		value, found := strings.CutSuffix(line, attributes)
		return found && strings.HasPrefix(line, "session=") && !strings.Contains(value, ";")
	})
	if i < 0 {
		e.Fatalf("%s: Set-Cookie is %q, without ours", target, lines)
	}
	token, _, _ = strings.Cut(strings.TrimPrefix(lines[i], "session="), ";")
	return slices.Delete(slices.Clone(lines), i, i+1), token
}
