package examples_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	fiberv3 "github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	fiberv3sessions "github.com/cloakroom-go/sessions/fiberv3"
	httpsessions "github.com/cloakroom-go/sessions/nethttp"
)

// arrivals are the requests that have asked to sign out: each with its method, and whether it had the session's cookie.
type arrivals struct {
	mu   sync.Mutex
	seen []string
}

func (a *arrivals) add(method, path, cookie string) {
	if path != "/sign-out" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = append(a.seen, fmt.Sprintf("%s cookie=%v", method, strings.Contains(cookie, "session=")))
}

// take returns what has arrived since the last call.
func (a *arrivals) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := strings.Join(a.seen, ", ")
	a.seen = nil
	return seen
}

const guardLogin = noIcon + `<h1 id="login">Sign in</h1><form method="post"><button id="go">Sign in</button></form>`

// guardAccount is a page for the user who is signed in.
const guardAccount = noIcon + `<p id="me">%s</p><form method="post" action="/sign-out"><button id="go">Sign out</button></form>`

func guardOptions() core.Options {
	return core.Options{Logger: slog.New(slog.DiscardHandler), Cookie: core.Cookie{DisableSecure: true}}
}

func guardsOnHTTP(t *testing.T, a *arrivals) (address string) {
	t.Helper()
	page := func(w http.ResponseWriter, page string) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page) //nolint:gosec // the name is the test's
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) { page(w, guardLogin) })
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := httpsessions.Get(r).SignIn(r.Context(), "ann", core.SignIn{}); err != nil {
			t.Error(err)
		}
		//nolint:gosec // ReturnPath has checked it.
		http.Redirect(w, r, httpsessions.ReturnPath(r, "/account"), http.StatusSeeOther)
	})
	mux.Handle("GET /account", httpsessions.Require(core.Requirement{LoginPage: "/login"})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			page(w, fmt.Sprintf(guardAccount, httpsessions.Get(r).Subject()))
		})))
	mux.Handle("/sign-out", httpsessions.SignOut("/login"))
	h := httpsessions.RefuseCrossOrigin(nil)(httpsessions.New(guardOptions())(mux))
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.add(r.Method, r.URL.Path, r.Header.Get("Cookie"))
		h.ServeHTTP(w, r)
	}))
}

func guardsOnFiberV3(t *testing.T, a *arrivals) (address string) {
	t.Helper()
	app := fiberv3.New()
	app.Use(func(c fiberv3.Ctx) error {
		a.add(strings.Clone(c.Method()), strings.Clone(c.Path()), strings.Clone(c.Get("Cookie")))
		return c.Next()
	}, fiberv3sessions.RefuseCrossOrigin(nil), fiberv3sessions.New(guardOptions()))
	app.Get("/login", func(c fiberv3.Ctx) error { return c.Type("html").SendString(guardLogin) })
	app.Post("/login", func(c fiberv3.Ctx) error {
		if err := fiberv3sessions.Get(c).SignIn(c.Context(), "ann", core.SignIn{}); err != nil {
			return err
		}
		return c.Redirect().Status(http.StatusSeeOther).To(fiberv3sessions.ReturnPath(c, "/account"))
	})
	app.Get("/account", fiberv3sessions.Require(core.Requirement{LoginPage: "/login"}), func(c fiberv3.Ctx) error {
		return c.Type("html").SendString(fmt.Sprintf(guardAccount, fiberv3sessions.Get(c).Subject()))
	})
	app.All("/sign-out", fiberv3sessions.SignOut("/login"))
	run := func(l net.Listener) error {
		return app.Listener(l, fiberv3.ListenConfig{DisableStartupMessage: true})
	}
	return listen(t, run, app.ShutdownWithTimeout)
}

// attack is a page that has its visitor's browser send requests to sign out there. It says when all have been answered.
const attack = noIcon + `<script>
var imaged = false, framed = false
function attack() {
	document.querySelector("iframe").onload = () => { framed = true }
	document.querySelector("form").submit()
}
</script>
<body onload="attack()">
<img src="http://%[1]s/sign-out" onerror="imaged = true">
<iframe name="hidden"></iframe>
<form method="post" target="hidden" action="http://%[1]s/sign-out"></form>
</body>`

// TestGuardsInABrowser sends a visitor to sign in and back, and has other sites try to sign the user out.
func TestGuardsInABrowser(t *testing.T) {
	t.Parallel()
	open := browser(t)
	for framework, on := range map[string]func(*testing.T, *arrivals) string{"nethttp": guardsOnHTTP, "fiberv3": guardsOnFiberV3} {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			var seen arrivals
			site := on(t, &seen)
			other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = fmt.Fprintf(w, attack, site)
			}))
			tab, goOn := open(t), chromedp.Click(chromedp.CSS("#go"))
			where := chromedp.Evaluate[string](`location.pathname + location.search`)
			wantAt := func(address, user string) {
				t.Helper()
				if got := chromium.Get(tab, t, where); got != address {
					t.Fatalf("the browser is at %s, want %s", got, address)
				}
				if user != "" {
					if got := text(tab, t, chromedp.CSS("#me")); got != user {
						t.Errorf("the page is for %q, want %q", got, user)
					}
				}
			}
			chromium.Do(tab, t, chromedp.Navigate("http://"+site+"/account?x=1&y=%2F#part"))
			wantAt("/login?return_to=%2Faccount%3Fx%3D1%26y%3D%252F", "")
			chromium.Do(tab, t, goOn, chromedp.WaitVisible(chromedp.CSS("#me")))
			wantAt("/account?x=1&y=%2F", "ann")

			for name, origin := range map[string]string{
				"another site": strings.Replace(other, "127.0.0.1", "localhost", 1), "another origin": other,
			} {
				chromium.Do(tab, t, chromedp.Navigate("http://"+origin))
				chromium.Get(tab, t, chromedp.Poll[bool](`imaged && framed`))
				want := "GET cookie=false, POST cookie=false"
				if name == "another origin" { // It is of the same site, so the cookie is no protection.
					want = "GET cookie=true, POST cookie=true"
				}
				if got := seen.take(); got != want {
					t.Errorf("of %s %q arrived, want %q", name, got, want)
				}
				chromium.Do(tab, t, chromedp.Navigate("http://"+site+"/account"))
				wantAt("/account", "ann")
			}
			chromium.Do(tab, t, goOn, chromedp.WaitVisible(chromedp.CSS("#login")))
			wantAt("/login", "")
			if got := seen.take(); got != "POST cookie=true" {
				t.Errorf("of the user's own click %q arrived", got)
			}
			chromium.Do(tab, t, chromedp.Navigate("http://"+site+"/account"))
			wantAt("/login?return_to=%2Faccount", "")
		})
	}
}
