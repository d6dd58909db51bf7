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

func newUser(t *testing.T) *user {
	t.Helper()
	u := &user{t, recipe.Browser(t)}
	ignore := security.SetIgnoreCertificateErrorsParams{Ignore: true}
	if _, err := chromedp.Call(u.tab, security.SetIgnoreCertificateErrors, ignore); err != nil {
		t.Fatal(err)
	}
	return u
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
	recipe.Do(u.tab, u.T, chromedp.Navigate(url))
}

// is reports an application that has somebody else signed in.
func (u *user) is(app, want string) {
	u.Helper()
	u.open(app)
	if got := recipe.Get(u.tab, u.T, chromedp.Evaluate[string](`document.body.innerText`)); got != want {
		u.Errorf("at %s: %s, want %s", app, got, want)
	}
}

func TestApplicationsOfAHost(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	port, other := start(t), start(t)
	shop := "https://" + domain + ":" + port + "/shop/"
	desk := "https://" + domain + ":" + other + "/desk/" // Cookies do not tell ports apart either.
	u.sends(shop, "login")
	u.is(desk, "nobody")
	u.sends(desk, "login")
	u.is(shop, "ann")
	jar := recipe.Cookies(u.tab, t)
	for _, name := range []string{"__Host-shop", "__Host-desk"} {
		if c := jar[name]; c == nil || c.Domain != domain || c.Path != "/" || !c.Secure || !c.HTTPOnly {
			t.Errorf("the cookie %s is %+v", name, c)
		}
	}
	u.sends(shop, "logout")
	u.is(shop, "nobody")
	u.is(desk, "ann")
}

// TestOneName shows what happens to applications on two ports that both keep the default name.
func TestOneName(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var apps [2]string
	for i := range apps {
		m, err := sessions.NewManager(sessions.Options{})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, m)
		apps[i] = "https://" + domain + ":" + recipe.ServeTLS(t, application(m)) + "/"
	}
	u.sends(apps[0], "login")
	u.sends(apps[1], "login")
	u.is(apps[1], "ann")
	u.is(apps[0], "nobody")
}

func TestOneLoginForSeveralHosts(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	port := start(t)
	blog, forum := "https://blog."+domain+":"+port+"/", "https://forum."+domain+":"+port+"/"
	u.sends(blog, "login")
	u.is(forum, "ann")
	u.is("https://"+domain+":"+port+"/shop/", "nobody")
	u.sends(forum, "logout")
	u.is(blog, "nobody")
	if jar := recipe.Cookies(u.tab, t); len(jar) != 0 {
		t.Errorf("after the logout the browser holds %v", jar)
	}
}

// TestPlantedCookie has a page of another host below the domain set cookies for all hosts of it. The browser keeps those
// whose names have no prefix.
func TestPlantedCookie(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	port := start(t)
	shop := "https://" + domain + ":" + port + "/shop/"
	u.sends(shop, "login")
	before := recipe.Cookies(u.tab, t)["__Host-shop"].Value
	evil := recipe.ServeTLS(t, recipe.Page("nothing to see"))
	u.open("https://evil." + domain + ":" + evil + "/")
	recipe.Await(u.tab, t, `["__Host-shop", "session"].map((name) => {
		document.cookie = name + "=planted; Domain=`+domain+`; Path=/shop/; Secure"
		document.cookie = name + "=planted; Domain=`+domain+`; Path=/; Secure"
	})`)
	jar := recipe.Cookies(u.tab, t)
	if jar["session"] == nil || jar["__Host-shop"].Value != before {
		t.Errorf("the browser holds %v", jar)
	}
	u.is(shop, "ann")
}

// TestNeighbour has a page of a neighbour, whose requests carry the cookies, sign the user out.
func TestNeighbour(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	port := start(t)
	forum := "https://forum." + domain + ":" + port + "/"
	u.sends(forum, "login")
	u.open("https://blog." + domain + ":" + port + "/")
	recipe.Await(u.tab, t, `fetch("`+forum+`logout", {method: "POST", mode: "no-cors", credentials: "include"})`)
	u.is(forum, "ann")
}

// TestSharedStore asks for the records of one application with the cookie of another, renamed.
func TestSharedStore(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	port := start(t)
	u.sends("https://"+domain+":"+port+"/shop/", "login")
	ticket := recipe.Cookies(u.tab, t)["__Host-shop"].Value
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/desk/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = domain
	r.Header.Set("Cookie", "__Host-desk="+ticket)
	if got := answer(t, r); got != "nobody" {
		t.Errorf("the desk takes the shop's ticket for %s", got)
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
