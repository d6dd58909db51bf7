// Package demo is the small web application that the example programs share: signing in and out, a visit counter, flash
// messages, preferences, a counter under parallel requests, a stream, and a page with the session's own facts.
//
// It knows sessions and no framework. A framework hands each handler the session and a [Request], and sends the [Response];
// what that takes is the whole of each example program.
package demo

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
)

//go:embed web
var web embed.FS

// The values in the session.
const (
	visits      = core.Key[int]("visits")
	clicks      = core.Key[int]("clicks")
	watched     = core.Key[int]("watched")
	flash       = core.Key[string]("flash")
	preferences = core.Key[Preferences]("preferences")
)

// App is the application. It is safe for concurrent use.
type App struct {
	framework string
	store     store.Store
	done      <-chan struct{}
	tick      time.Duration
	pages     map[string]*template.Template
	guard     *http.CrossOriginProtection

	storeTimeout time.Duration // 0 for the usual
}

// New returns the application, to be run on the framework of that name, with its sessions in the store. Its streams end
// when done is closed.
func New(framework string, sessions store.Store, done <-chan struct{}) (*App, error) {
	a := &App{
		framework: framework,
		store:     sessions,
		done:      done,
		tick:      500 * time.Millisecond,
		pages:     map[string]*template.Template{},
		guard:     http.NewCrossOriginProtection(),
	}
	for _, name := range []string{"home", "preferences", "counter", "live", "session", "goodbye", "error"} {
		page, err := template.ParseFS(web, "web/layout.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("demo: page %s: %w", name, err)
		}
		a.pages[name] = page
	}
	return a, nil
}

// Options configures the sessions of the demo: the defaults, except that they are in the store that was chosen, which is
// waited for as long as was asked, and that the cookie may travel over plain http.
//
// Browsers that take localhost for a secure place keep a Secure cookie from http://localhost too, but Safari does not,
// nor does curl. A site that people visit has https and leaves Insecure alone.
func (a *App) Options() core.Options {
	return core.Options{
		Store:        a.store, // all there is to swap the store
		StoreTimeout: a.storeTimeout,
		Cookie:       core.Cookie{Insecure: true},
	}
}

// Route is a path of the application.
type Route struct {
	Method  string
	Path    string
	Handler Handler
}

// Routes returns all routes. Everything else is [App.NotFound].
func (a *App) Routes() []Route {
	routes := []Route{
		{http.MethodGet, "/", a.home},
		{http.MethodPost, "/signin", a.signIn},
		{http.MethodPost, "/signout", a.signOut},
		{http.MethodGet, "/goodbye", a.goodbye},
		{http.MethodGet, "/preferences", a.preferences},
		{http.MethodPost, "/preferences", a.savePreferences},
		{http.MethodGet, "/counter", a.counter},
		{http.MethodPost, "/counter", a.count},
		{http.MethodGet, "/counter/hits", a.hits},
		{http.MethodPost, "/counter/hits", a.hit},
		{http.MethodGet, "/live", a.live},
		{http.MethodGet, "/live/events", a.events},
		{http.MethodGet, "/live/plain", a.lines},
		{http.MethodGet, "/session", a.session},
		{http.MethodPost, "/session/renew", a.renew},
		{http.MethodGet, "/style.css", asset("style.css", "text/css; charset=utf-8")},
		{http.MethodGet, "/app.js", asset("app.js", "text/javascript; charset=utf-8")},
		{http.MethodGet, "/favicon.svg", asset("favicon.svg", "image/svg+xml")},
	}
	for i, route := range routes {
		routes[i].Handler = a.guarded(route.Handler)
		if route.Method == http.MethodGet {
			routes = append(routes, Route{http.MethodHead, route.Path, routes[i].Handler})
		}
	}
	return routes
}
