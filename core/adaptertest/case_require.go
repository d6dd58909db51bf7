package adaptertest

import (
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// requireCases returns the cases G1, about what a request needs.
func requireCases() []testCase {
	return []testCase{
		{"G1/Page", ruleRequire, requirePage},
		{"G1/ThereAndBack", ruleReturn, requireThereAndBack},
		{"G1/Script", ruleRequire, requireScript},
		{"G1/Proof", ruleRequire, requireProof},
		{"G1/ErrorHandler", ruleRequire, requireErrorHandler},
		{"G1/Outage", ruleRequireOutage, requireOutage},
		{"G1/Overtaken", ruleOvertaken, requireOvertaken},
		{"G1/Circle", ruleCircle, requireCircle},
		{"G1/NoSense", ruleRequireMade, requireNoSense},
	}
}

// navigating are the fields of a request for a page.
func navigating() []string { return []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"} }

// signInAt signs in at the level that the query asks for, and returns to where the user wanted
// to go.
func signInAt(c Context) error {
	how := core.SignIn{Auth: core.Auth{Level: len(c.Query("level"))}}
	if err := c.Get().SignIn(c.Context(), "alice", how); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, c.ReturnPath("/home"))
}

// serveGuarded serves a handler behind the requirement, at /guarded, and a login page.
func (e *env) serveGuarded(r core.Requirement, o core.Options) {
	e.Helper()
	h := func(c Context) error { return c.Body(http.StatusOK, handlerBody) }
	e.guard(Guard{Require: &r}, "/guarded", h, "GET", "HEAD", "POST")
	e.handleGet("/sign-in", signInAt)
	e.handleGet("/who", whoIs)
	e.handleGet("/step-up", stepUp)
	e.serve(o)
}

// wantRedirect checks that the answer redirects to the location, that no shared cache keeps it,
// and that it sets no cookie.
func (e *env) wantRedirect(a *answer, location string) {
	e.Helper()
	e.wantStatus(a, http.StatusSeeOther)
	e.wantNoCookie(a)
	e.wantPrivate(a)
	if got := a.header.Values("Location"); len(got) != 1 || got[0] != location {
		e.Errorf("Location is %q, want %q", got, location)
	}
}

// wantGuarded checks that the answer is an error of a guard with this field.
func (e *env) wantGuarded(a *answer, status int, field, value string) {
	e.Helper()
	e.wantRefused(a, status)
	if got := a.header.Values(field); len(got) != 1 || got[0] != value {
		e.Errorf("%s is %q, want %q", field, got, value)
	}
	if strings.Contains(a.body, "sessions: ") {
		e.Errorf("the client sees the error of the guard: %q", a.body)
	}
}

func requirePage(e *env) {
	e.serveGuarded(core.Requirement{LoginPage: "/sign-in"}, core.Options{})
	const page = "/guarded?x=1&y=%2F"
	const location = "/sign-in?return_to=%2Fguarded%3Fx%3D1%26y%3D%252F"
	visitor := e.newVisitor()
	for _, b := range []*browser{e.newBrowser(), visitor} {
		e.wantRedirect(b.get(page, navigating()...), location)
		e.wantRedirect(b.get(page, "Accept", "text/html"), location)
		r := b.request(e.Context(), http.MethodHead, page, navigating()...)
		e.wantRedirect(b.do(r), location)
	}
}

func requireThereAndBack(e *env) {
	e.serveGuarded(core.Requirement{LoginPage: "/sign-in?level=x"}, core.Options{})
	b := e.newBrowser()
	a := b.get("/guarded?x=1&y=%2F", navigating()...)
	a = b.get(a.field("Location"))
	e.wantStatus(a, http.StatusSeeOther)
	if got := a.field("Location"); got != "/guarded?x=1&y=%2F" {
		e.Errorf("after the login Location is %q", got)
	}
	e.wantBody(b.get(a.field("Location"), navigating()...), handlerBody)
	for _, path := range []string{
		"//evil.example", "%2F%2Fevil.example", "/%5Cevil.example", "%2F%09%2Fevil.example",
		"https://evil.example", "javascript:alert(1)", "/a%0D%0ASet-Cookie:%20a=b", "%zz", "",
	} {
		a := b.get("/sign-in?return_to=" + path)
		if got := a.field("Location"); got != "/home" {
			e.Errorf("after a login with return_to=%s Location is %q, want /home", path, got)
		}
	}
}

func requireScript(e *env) {
	e.serveGuarded(core.Requirement{LoginPage: "/sign-in"}, core.Options{})
	visitor := e.newVisitor()
	for _, b := range []*browser{e.newBrowser(), visitor} {
		for _, r := range []*http.Request{
			b.request(e.Context(), "GET", "/guarded"),
			b.request(e.Context(), "GET", "/guarded",
				"Sec-Fetch-Mode", "cors", "Accept", "text/html"),
			b.request(e.Context(), "POST", "/guarded", navigating()...),
		} {
			a := b.do(r)
			e.wantGuarded(a, http.StatusUnauthorized, "WWW-Authenticate", "Cookie")
			if !hasToken(a.field("Vary"), "Cookie") {
				e.Errorf("Vary is %q, want Cookie", a.field("Vary"))
			}
		}
	}
	e.wantStatus(visitor.get("/sign-in"), http.StatusSeeOther)
	e.wantBody(visitor.get("/guarded"), handlerBody)
}

func requireProof(e *env) {
	r := core.Requirement{LoginPage: "/sign-in", ConfirmPage: "/confirm", Level: 2}
	e.serveGuarded(r, core.Options{Lazy: true})
	b := e.newBrowser()
	e.wantRedirect(b.get("/guarded", navigating()...), "/sign-in?return_to=%2Fguarded")
	e.wantStatus(b.get("/sign-in?level=x"), http.StatusSeeOther)
	e.wantRedirect(b.get("/guarded", navigating()...), "/confirm?return_to=%2Fguarded")
	e.wantGuarded(b.get("/guarded"), http.StatusForbidden, "WWW-Authenticate",
		`Cookie error="insufficient_user_authentication", acr_values="2"`)
	e.wantBody(b.get("/step-up"), "confirmed")
	e.wantBody(b.get("/guarded", navigating()...), handlerBody)
	e.wantBody(b.get("/guarded"), handlerBody)
}

// requireErrorHandler has the application answer the error of a guard, where the framework lets
// it.
func requireErrorHandler(e *env) {
	h := func(c Context) error { return c.Body(http.StatusOK, handlerBody) }
	e.guard(Guard{Require: &core.Requirement{}}, "/guarded", h, http.MethodGet)
	e.app.Failed = func(c Context, status int) error {
		return c.Body(status, "the application's own page")
	}
	e.serve(core.Options{})
	a := e.newVisitor().get("/guarded")
	e.wantGuarded(a, http.StatusUnauthorized, "WWW-Authenticate", "Cookie")
}

func requireOutage(e *env) {
	e.serveGuarded(core.Requirement{LoginPage: "/sign-in"}, core.Options{Lazy: true})
	b := e.newBrowser()
	e.wantStatus(b.get("/sign-in"), http.StatusSeeOther)
	e.store.fail("load", errDown)
	e.wantRefused(b.get("/guarded", navigating()...), http.StatusServiceUnavailable)
	e.wantRefused(b.get("/guarded"), http.StatusServiceUnavailable)
	e.store.fail("load", nil)
	e.wantBody(b.get("/guarded", navigating()...), handlerBody)
}

// requireOvertaken sends a request for a page with the token from before a login. The redirect
// leaves the cookie of the login alone, with which the browser then asks.
func requireOvertaken(e *env) {
	e.serveGuarded(core.Requirement{LoginPage: "/sign-in"}, core.Options{})
	b := e.newVisitor()
	old := b.clone()
	e.wantStatus(b.get("/sign-in"), http.StatusSeeOther)
	e.wantRedirect(old.get("/guarded", navigating()...), "/sign-in?return_to=%2Fguarded")
	e.wantBody(b.get("/who"), "alice")
	e.wantBody(b.get("/guarded", navigating()...), handlerBody)
}

func requireCircle(e *env) {
	h := func(c Context) error { return c.Body(http.StatusOK, handlerBody) }
	e.guard(Guard{Require: &core.Requirement{LoginPage: "/sign-in"}}, "/sign-in", h, "GET", "POST")
	e.guard(Guard{Require: &core.Requirement{LoginPage: "/proxied/in"}}, "/in", h, "GET")
	e.serve(core.Options{})
	b := e.newBrowser()
	for _, method := range []string{"GET", "POST"} {
		r := b.request(e.Context(), method, "/sign-in?return_to=%2Fa", navigating()...)
		e.wantRefused(b.do(r), http.StatusInternalServerError)
	}
	location := "/in"
	for range 5 {
		a := b.get(location, navigating()...)
		if a.status == http.StatusInternalServerError {
			return
		}
		location = strings.TrimPrefix(a.field("Location"), "/proxied")
	}
	e.Errorf("the redirects lead round in a circle: %q", location)
}

func requireNoSense(e *env) {
	for _, g := range []Guard{
		{Require: &core.Requirement{LoginPage: "//evil.example"}},
		{Require: &core.Requirement{Level: -1}},
		{SignOut: "https://evil.example"},
	} {
		h := func(c Context) error { return c.Status(http.StatusOK) }
		text := e.panicAtStart(App{Routes: []Route{{http.MethodPost, "/guarded", h, g}}})
		if !strings.HasPrefix(text, "sessions: ") || !strings.Contains(text, "use ") {
			e.Errorf("mounting %+v panicked with %q", g, text)
		}
	}
}
