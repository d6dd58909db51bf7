package core

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// TestRequirementsThatMakeNoSense are refused at the start, with a sentence that says what to change.
func TestRequirementsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	proof := func(r Requirement) Requirement { r.Level, r.LoginPage = 2, "/login"; return r }
	for says, list := range map[string][]Requirement{
		"Requirement.Level is":                   {{Level: -1}, {Level: 256}},
		"Requirement.Within is":                  {{Within: -1}, {Within: 5}, {Within: time.Second - 1}, {Within: -time.Hour}},
		"without a LoginPage":                    {{ConfirmPage: "/confirm", Level: 2}},
		"has a Level or Within and no Confirm":   {{LoginPage: "/login", Level: 2}, {LoginPage: "/login", Within: time.Hour}},
		"nothing needs to be confirmed":          {{LoginPage: "/login", ConfirmPage: "/confirm"}},
		"Requirement.LoginPage is":               loginPages(),
		`Requirement.ConfirmPage is "//evil"`:    {proof(Requirement{ConfirmPage: "//evil"})},
		`Requirement.ConfirmPage is "ftp://x/y"`: {proof(Requirement{ConfirmPage: "ftp://x/y"})},
	} {
		for _, r := range list {
			text := panicOf(func() { NewGuard(r) })
			if !strings.HasPrefix(text, "sessions: ") || !strings.Contains(text, says) {
				t.Errorf("%+v: panic is %q, want one with %q", r, text, says)
			}
		}
	}
	for _, r := range []Requirement{
		{},
		{LoginPage: "/login"},
		{LoginPage: "/login?from=guard"},
		{LoginPage: "https://id.example/login"},
		{LoginPage: "http://localhost:8080/login"},
		{Level: 255, Within: time.Second},
		proof(Requirement{ConfirmPage: "/login", Within: time.Minute}),
		proof(Requirement{ConfirmPage: "https://id.example/confirm"}),
	} {
		equal(t, sprint(r), panicOf(func() { NewGuard(r) }), "<nil>")
	}
}

func loginPages() (list []Requirement) {
	for _, page := range []string{
		"login", "//evil", `/\evil`, "/login#top", "javascript:alert(1)", "https://", "https:login", "ftp://x/y",
		"https://id.example/login#top", "https://ann@id.example/", "https://id.example/a b", " /login", `https:\\id.example`,
	} {
		list = append(list, Requirement{LoginPage: page})
	}
	return list
}

func panicOf(fn func()) (text string) {
	defer func() { text = sprint(recover()) }()
	fn()
	return ""
}

// navigation is a request for a page.
func navigation(target string) *adapter.Visit {
	return &adapter.Visit{Fetch: adapter.Fetch{Method: "GET", Mode: "navigate"}, Target: target}
}

// TestRequirementIsMet asks for levels and for times.
func TestRequirementIsMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newTestManager(t, Options{}))
		met := func(r Requirement, wanted bool) {
			t.Helper()
			c.request(func(s *Session) { equal(t, sprint(r), NewGuard(r).Met(s), wanted) })
		}
		lately, level2 := Requirement{Within: time.Minute}, Requirement{Level: 2}
		level2Lately := Requirement{Level: 2, Within: time.Minute}
		for _, r := range []Requirement{{}, lately, level2, level2Lately} {
			met(r, false)
		}
		c.request(func(s *Session) { want(t, s.LoginWith("ann", Auth{Level: 1}), nil) })
		met(Requirement{}, true)
		met(lately, true)
		met(level2, false)
		met(level2Lately, false)
		c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 2}), nil) })
		met(level2Lately, true)
		time.Sleep(2 * time.Minute)
		c.request(func(s *Session) { want(t, s.StepUp(Auth{Level: 1}), nil) })
		met(lately, true)
		met(level2, true)
		met(level2Lately, false)
		met(Requirement{Level: 3}, false)
		time.Sleep(2 * time.Minute)
		met(lately, false)
		met(Requirement{}, true)
	})
}

// TestRefusal compares what requests that do not meet a requirement are answered.
func TestRefusal(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	visitor, ann := newClient(t, m).load(), newSignedIn(t, m, "ann").load()
	pages := NewGuard(Requirement{LoginPage: "/login", ConfirmPage: "/confirm?why=old", Level: 2, Within: 90 * time.Second})
	abroad := NewGuard(Requirement{LoginPage: "https://id.example/login"})
	none := NewGuard(Requirement{Level: 2})
	for _, tc := range []struct {
		guard    *Guard
		s        *Session
		target   string
		location string
	}{
		{pages, visitor, "/account", "/login?return_to=%2Faccount"},
		{pages, visitor, "/a?x=1&y=%2F", "/login?return_to=%2Fa%3Fx%3D1%26y%3D%252F"},
		{pages, ann, "/account", "/confirm?why=old&return_to=%2Faccount"},
		{abroad, visitor, "/account", "https://id.example/login?return_to=%2Faccount"},
		{abroad, visitor, "/login", "https://id.example/login?return_to=%2Flogin"},
		{pages, visitor, "http://site.example/account?x", "/login?return_to=%2Faccount%3Fx"},
		{pages, visitor, "//evil.example/account", "/login"},
		{pages, visitor, `/\evil.example`, "/login"},
		{pages, visitor, "/" + strings.Repeat("a", 2048), "/login"},
		{pages, visitor, "*", "/login"},
		{pages, visitor, "/settings?return_to=/a", "/login?return_to=%2Fsettings%3Freturn_to%3D%2Fa"},
		{pages, visitor, "/confirm?return_to=/a", "/login?return_to=%2Fconfirm%3Freturn_to%3D%2Fa"},
		{none, visitor, "/account", ""},
		{none, ann, "/account", ""},
	} {
		v := tc.guard.Refuse(tc.s, navigation(tc.target))
		equal(t, tc.target, v.Location, tc.location)
		if tc.location == "" {
			equal(t, "field", v.Field, "WWW-Authenticate")
		}
	}
}

// TestRefusalOfScripts compares what is no page, in words that a client can tell apart.
func TestRefusalOfScripts(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	visitor, ann := newClient(t, m).load(), newSignedIn(t, m, "ann").load()
	guard := NewGuard(Requirement{LoginPage: "/login", ConfirmPage: "/login", Level: 2, Within: 90 * time.Second})
	const html = "text/html, application/xhtml+xml;q=0.9"
	for name, tc := range map[string]struct {
		visit adapter.Visit
		page  bool
	}{
		"navigation":             {adapter.Visit{Fetch: adapter.Fetch{Method: "GET", Mode: "navigate"}}, true},
		"navigation, HEAD":       {adapter.Visit{Fetch: adapter.Fetch{Method: "HEAD", Mode: "navigate"}}, true},
		"navigation, form":       {adapter.Visit{Fetch: adapter.Fetch{Method: "POST", Mode: "navigate"}, Accept: html}, false},
		"script that takes HTML": {adapter.Visit{Fetch: adapter.Fetch{Method: "GET", Mode: "cors"}, Accept: html}, false},
		"old browser":            {adapter.Visit{Fetch: adapter.Fetch{Method: "GET"}, Accept: html}, true},
		"old browser, other":     {adapter.Visit{Fetch: adapter.Fetch{Method: "GET"}, Accept: "x/y , TEXT/HTML;q=0.1"}, true},
		"program":                {adapter.Visit{Fetch: adapter.Fetch{Method: "GET"}, Accept: "*/*"}, false},
		"program, other":         {adapter.Visit{Fetch: adapter.Fetch{Method: "GET"}, Accept: "application/json"}, false},
		"nothing at all":         {adapter.Visit{}, false},
	} {
		tc.visit.Target = "/account"
		equal(t, name, tc.visit.Navigates(), tc.page)
		if tc.page {
			continue
		}
		v := guard.Refuse(visitor, &tc.visit)
		want(t, v.Err, ErrSignInRequired)
		equal(t, name, v.Field+": "+v.Value+v.Location, "WWW-Authenticate: Cookie")
		v = guard.Refuse(ann, &tc.visit)
		want(t, v.Err, ErrProofRequired)
		equal(t, name, v.Field+": "+v.Value+v.Location,
			`WWW-Authenticate: Cookie error="insufficient_user_authentication", acr_values="2", max_age="90"`)
	}
}

// TestRefusalInACircle is an error instead: redirects would only lead back.
func TestRefusalInACircle(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{})
	visitor, ann := newClient(t, m).load(), newSignedIn(t, m, "ann").load()
	guard := NewGuard(Requirement{LoginPage: "/log%69n?x=y", ConfirmPage: "/confirm", Level: 2})
	for target, s := range map[string]*Session{
		"/login":                        visitor,
		"/login/":                       visitor,
		"/login?return_to=%2Faccount":   visitor,
		"http://site.example/login?a":   visitor,
		"/confirm":                      ann,
		"/confirm?return_to=%2Faccount": ann,
	} {
		want(t, guard.Refuse(s, navigation(target)).Err, ErrPageGuarded)
	}
	for target, s := range map[string]*Session{"/login": ann, "/confirm": visitor, "/logins": visitor} {
		want(t, guard.Refuse(s, navigation(target)).Err, nil)
	}
	// A proxy gives the page another path, which the guard cannot know.
	proxied := NewGuard(Requirement{LoginPage: "/app/login"})
	target, rounds := "/account", 0
	for rounds < 10 {
		v := proxied.Refuse(visitor, navigation(target))
		if errors.Is(v.Err, ErrPageGuarded) {
			break
		}
		target = strings.TrimPrefix(v.Location, "/app")
		rounds++
	}
	equal(t, "redirects", rounds, 2)
}
