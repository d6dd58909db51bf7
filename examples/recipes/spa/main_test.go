package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/echov5"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
)

// site is the API and the page, each at an origin of its own.
type site struct {
	sessions       *sessions.Manager
	store          *sessiontest.Store
	apiURL, appURL string
}

// start serves the API below api.spa.localhost, and the page from the host, which any page of another origin shares.
func start(t *testing.T, appHost string, change func(o *sessions.Options)) *site {
	t.Helper()
	s := &site{store: sessiontest.NewStore(nil)}
	o := sessions.Options{Store: s.store, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	change(&o)
	var err error
	if s.sessions, err = sessions.NewManager(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sessions.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	var app http.Handler
	s.appURL = "http://" + appHost + ":" + recipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		app.ServeHTTP(w, r)
	}))
	api, err := newAPI(s.sessions, s.appURL)
	if err != nil {
		t.Fatal(err)
	}
	s.apiURL = "http://api.spa.localhost:" + recipe.Serve(t, api)
	app = newApp(s.apiURL)
	return s
}

func unchanged(*sessions.Options) {}

// user is somebody with the page in their browser.
type user struct {
	*testing.T
	tab context.Context //nolint:containedctx // a tab is a context
}

func (u *user) open(url string) {
	u.Helper()
	chromium.Do(u.tab, u.T, chromedp.Navigate(url))
}

// save types a note and presses the button.
func (u *user) save(text string) {
	u.Helper()
	chromium.Do(u.tab, u.T, chromedp.SetValue(chromedp.CSS("#note"), text), chromedp.Click(chromedp.CSS("#save")))
}

// signIn fills in the form that the page has opened.
func (u *user) signIn() {
	u.Helper()
	recipe.WaitUntil(u.tab, u.T, `!document.getElementById("login").hidden`)
	chromium.Do(u.tab, u.T, chromedp.SetValue(chromedp.CSS("#user"), "ann"),
		chromedp.SetValue(chromedp.CSS("#password"), "open sesame"), chromedp.Click(chromedp.CSS("#signin")))
}

// reads waits until the page says that.
func (u *user) reads(status string) {
	u.Helper()
	recipe.WaitUntil(u.tab, u.T, `document.getElementById("status").innerText === "`+status+`"`)
}

// reply returns what a call of the page is answered with, or "TypeError" if the page cannot read the answer.
func (u *user) reply(request string) string {
	u.Helper()
	return recipe.Await(u.tab, u.T, request+`.then(async (a) => a.status + " " + await a.text(), (e) => e.name)`)
}

// TestApplication lets one browser after the other open the page.
func TestApplication(t *testing.T) {
	browser := recipe.Browser(t)
	for name, test := range map[string]func(u *user){
		"Page": usesThePage, "CallsShareOneSignIn": callsShareOneSignIn, "OtherPages": otherPages,
		"AnotherSite":           func(u *user) { anotherSite(u, unchanged, `401 {"signedOut":""}`) },
		"AnotherSiteThirdParty": func(u *user) { anotherSite(u, thirdParty, `200 ""`) },
	} {
		t.Run(name, func(t *testing.T) { test(&user{t, recipe.NewJar(browser, t)}) })
	}
}

// usesThePage has a user work with the page, whose origin is another one, and whose site is that of the API.
func usesThePage(u *user) {
	s := start(u.T, "app.spa.localhost", unchanged)
	u.open(s.appURL)
	u.save("coat")
	u.signIn()
	u.reads("saved for ann") // what was typed before the login
	u.open(s.appURL)
	if got := u.reply(`send("GET", "/note")`); strings.TrimSpace(got) != `200 "coat"` {
		u.Errorf("after reloading the note is %q", got)
	}
	c := recipe.Cookies(u.tab, u.T)["session"]
	if c == nil || c.Domain != "api.spa.localhost" || !c.Secure || !c.HTTPOnly || c.SameSite != "Lax" {
		u.Errorf("the browser holds %+v", c)
	}

	s.store.Fail(sessiontest.Fault{})
	u.save("hat")
	u.reads("not saved: 503") // and not "TypeError", which a page gets without the fields of CORS
	s.store.Heal()
	u.save("hat")
	u.reads("saved for ann")

	if _, err := s.sessions.RevokeAll(u.Context(), "ann"); err != nil {
		u.Fatal(err)
	}
	if got := u.reply(`send("GET", "/note")`); strings.TrimSpace(got) != `401 {"signedOut":"revoked_all"}` {
		u.Errorf("after a revocation: %q", got)
	}
	u.save("scarf")
	u.signIn()
	u.reads("saved for ann")
}

// callsShareOneSignIn has several calls of the page find out at once that nobody is signed in.
func callsShareOneSignIn(u *user) {
	s := start(u.T, "app.spa.localhost", unchanged)
	u.open(s.appURL)
	chromium.Do(u.tab, u.T, chromedp.Evaluate[chromedp.Void](
		`window.all = ""; Promise.all([1, 2, 3].map(() => call("GET", "/note"))).then((a) => { window.all = a.length }); null`))
	u.signIn()
	recipe.WaitUntil(u.tab, u.T, `window.all === 3`)
}

// otherPages has pages of other origins call the API in the browser of a user who is signed in.
func otherPages(u *user) {
	s := start(u.T, "app.spa.localhost", unchanged)
	u.open(s.appURL)
	u.save("coat")
	u.signIn()
	u.reads("saved for ann")
	other := recipe.Serve(u.T, recipe.Page("another page"))
	for host, logout := range map[string]string{
		"blog.spa.localhost": `{mode: "no-cors", method: "POST", credentials: "include"}`, // the cookie goes along
		"evil.localhost":     `{mode: "no-cors", method: "POST", credentials: "include"}`,
	} {
		u.open("http://" + host + ":" + other)
		u.reply(`fetch("` + s.apiURL + `/logout", ` + logout + `)`)
		if got := u.reply(`fetch("` + s.apiURL + `/note", {credentials: "include"})`); got != "TypeError" {
			u.Errorf("a page at %s reads %q", host, got)
		}
	}
	u.open(s.appURL)
	if got := u.reply(`send("GET", "/note")`); strings.TrimSpace(got) != `200 "coat"` {
		u.Errorf("after the other pages: %q", got)
	}
}

// anotherSite serves the page from another site, from which a login is kept only if the cookie allows it.
func anotherSite(u *user, change func(o *sessions.Options), want string) {
	s := start(u.T, "app.elsewhere.localhost", change)
	u.open(s.appURL)
	if got := u.reply(`send("POST", "/login", {user: "ann", password: "open sesame"})`); strings.TrimSpace(got) != `200 "ann"` {
		u.Errorf("the login is answered %q", got)
	}
	if got := u.reply(`send("GET", "/note")`); strings.TrimSpace(got) != want {
		u.Errorf("after the login: %q, want %q", got, want)
	}
}

// TestPreflight asks what browsers ask before a PUT. That is no request with a session.
func TestPreflight(t *testing.T) {
	t.Parallel()
	s := start(t, "app.spa.localhost", unchanged)
	cookie := sessiontest.Cookie(t, s.sessions, func(s *sessions.Session) error { return s.Login("ann") })
	s.store.Fail(sessiontest.Fault{})
	before := s.store.Calls()
	api, err := newAPI(s.sessions, s.appURL)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, "/note", http.NoBody)
	r.Header.Set("Origin", s.appURL)
	r.Header.Set("Access-Control-Request-Method", http.MethodPut)
	r.AddCookie(cookie) // Browsers send none, some proxies and tools do.
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	h := w.Header()
	if w.Code != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != s.appURL || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("the preflight is answered %d with %v", w.Code, h)
	}
	if n := s.store.Calls() - before; n != 0 {
		t.Errorf("the preflight made %d calls of the store", n)
	}
}
