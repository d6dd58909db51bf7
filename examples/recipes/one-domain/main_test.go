package main

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const domain = "example.localhost"

// start serves the site on a port of this machine, over https.
func start(t *testing.T) (port string) {
	t.Helper()
	handler, managers, err := newSite(domain, memstore.New(memstore.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range managers {
		closeAtEnd(t, m)
	}
	return recipe.ServeTLS(t, handler)
}

func closeAtEnd(t *testing.T, m *sessions.Manager) {
	t.Helper()
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// user is somebody's browser.
type user struct {
	*testing.T
	tab context.Context //nolint:containedctx // a tab is a context
}

// TestOneDomain lets one browser after the other visit the site.
func TestOneDomain(t *testing.T) {
	browser := recipe.Browser(t)
	for name, test := range map[string]func(u *user){
		"ApplicationsOfAHost":     applicationsOfAHost,
		"OneName":                 oneName,
		"OneLoginForSeveralHosts": oneLoginForSeveralHosts,
		"PlantedCookie":           plantedCookie,
		"Neighbour":               neighbour,
		"PlainHTTP":               plainHTTP,
		"TicketOfAnotherOne":      ticketOfAnotherOne,
	} {
		t.Run(name, func(t *testing.T) { test(newUser(browser, t)) })
	}
}

// newUser opens a tab of the browser with a cookie jar of its own.
func newUser(browser context.Context, t *testing.T) *user {
	t.Helper()
	tab := recipe.NewJar(browser, t)
	ignore := security.SetIgnoreCertificateErrorsParams{Ignore: true}
	if _, err := chromedp.Call(tab, security.SetIgnoreCertificateErrors, ignore); err != nil {
		t.Fatal(err)
	}
	return &user{t, tab}
}

// sends opens an application and has its page send a form.
func (u *user) sends(app, path string) {
	u.Helper()
	u.open(app)
	if got := recipe.Await(u.tab, u.T, `fetch("`+path+`", {method: "POST", body: new URLSearchParams({user: "ann"})}).then((a) => a.status)`); got != "200" {
		u.Errorf("%s%s is answered %s", app, path, got)
	}
}

func (u *user) open(url string) {
	u.Helper()
	chromium.Do(u.tab, u.T, chromedp.Navigate(url))
}

// is reports an application that has somebody else signed in.
func (u *user) is(app, want string) {
	u.Helper()
	u.open(app)
	if got := chromium.Get(u.tab, u.T, chromedp.Evaluate[string](`document.body.innerText`)); got != want {
		u.Errorf("at %s: %s, want %s", app, got, want)
	}
}

// ticket returns the value of a cookie that the browser has.
func (u *user) ticket(name string) string {
	u.Helper()
	c := recipe.Cookies(u.tab, u.T)[name]
	if c == nil {
		u.Fatalf("the browser has no cookie %s", name)
	}
	return c.Value
}

func applicationsOfAHost(u *user) {
	port, other := start(u.T), start(u.T)
	shop := "https://" + domain + ":" + port + "/shop/"
	desk := "https://" + domain + ":" + other + "/desk/" // Cookies do not tell ports apart either.
	u.sends(shop, "login")
	u.is(desk, "nobody")
	u.sends(desk, "login")
	u.is(shop, "ann")
	jar := recipe.Cookies(u.tab, u.T)
	for _, name := range []string{"__Host-shop", "__Host-desk"} {
		if c := jar[name]; c == nil || c.Domain != domain || c.Path != "/" || !c.Secure || !c.HTTPOnly {
			u.Errorf("the cookie %s is %+v", name, c)
		}
	}
	u.sends(shop, "logout")
	u.is(shop, "nobody")
	u.is(desk, "ann")
}

// oneName shows what happens to applications on two ports that both keep the default name.
func oneName(u *user) {
	var apps [2]string
	for i := range apps {
		m, err := sessions.NewManager(sessions.Options{})
		if err != nil {
			u.Fatal(err)
		}
		closeAtEnd(u.T, m)
		apps[i] = "https://" + domain + ":" + recipe.ServeTLS(u.T, application(m)) + "/"
	}
	u.sends(apps[0], "login")
	u.sends(apps[1], "login")
	u.is(apps[1], "ann")
	u.is(apps[0], "nobody")
}

func oneLoginForSeveralHosts(u *user) {
	port := start(u.T)
	blog, forum := "https://blog."+domain+":"+port+"/", "https://forum."+domain+":"+port+"/"
	u.sends(blog, "login")
	u.is(forum, "ann")
	u.is("https://"+domain+":"+port+"/shop/", "nobody")
	u.sends(forum, "logout")
	u.is(blog, "nobody")
	if jar := recipe.Cookies(u.tab, u.T); len(jar) != 0 {
		u.Errorf("after the logout the browser holds %v", jar)
	}
}

// plantedCookie has a page of another host below the domain set cookies for all hosts of it. The browser keeps those
// whose names have no prefix.
func plantedCookie(u *user) {
	port := start(u.T)
	shop := "https://" + domain + ":" + port + "/shop/"
	u.sends(shop, "login")
	before := u.ticket("__Host-shop")
	evil := recipe.ServeTLS(u.T, recipe.Page("nothing to see"))
	u.open("https://evil." + domain + ":" + evil + "/")
	recipe.Await(u.tab, u.T, `["__Host-shop", "session"].map((name) => {
		document.cookie = name + "=planted; Domain=`+domain+`; Path=/shop/; Secure"
		document.cookie = name + "=planted; Domain=`+domain+`; Path=/; Secure"
	})`)
	if u.ticket("session") != "planted" || u.ticket("__Host-shop") != before {
		u.Errorf("the browser holds %v", recipe.Cookies(u.tab, u.T))
	}
	u.is(shop, "ann")
}

// neighbour has a page of a neighbour, whose requests carry the cookies, sign the user out.
func neighbour(u *user) {
	port := start(u.T)
	forum := "https://forum." + domain + ":" + port + "/"
	u.sends(forum, "login")
	u.open("https://blog." + domain + ":" + port + "/")
	recipe.Await(u.tab, u.T, `fetch("`+forum+`logout", {method: "POST", mode: "no-cors", credentials: "include"})`)
	u.is(forum, "ann")
}

// plainHTTP signs in as during development: Chromium keeps the cookie on localhost.
func plainHTTP(u *user) {
	m, err := sessions.NewManager(ownOptions("shop", nil))
	if err != nil {
		u.Fatal(err)
	}
	closeAtEnd(u.T, m)
	shop := "http://localhost:" + recipe.Serve(u.T, application(m)) + "/"
	u.sends(shop, "login")
	u.is(shop, "ann")
}

// ticketOfAnotherOne asks for the records of one application with the cookie of another, renamed.
func ticketOfAnotherOne(u *user) {
	port := start(u.T)
	u.sends("https://"+domain+":"+port+"/shop/", "login")
	ticket := u.ticket("__Host-shop")
	r, err := http.NewRequestWithContext(u.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/desk/", http.NoBody)
	if err != nil {
		u.Fatal(err)
	}
	r.Host = domain
	r.Header.Set("Cookie", "__Host-desk="+ticket)
	if got := answer(u.T, r); got != "nobody" {
		u.Errorf("the desk takes the shop's ticket for %s", got)
	}
}

func answer(t *testing.T, r *http.Request) string {
	t.Helper()
	insecure := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // to this machine
	res, err := (&http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
