// Package demo is the small web application that the example programs share: signing in and out, being remembered, the
// devices of a user, asking again before something sensitive, a visit counter, flash messages, preferences, a counter under
// parallel requests, a stream, a page with the session's own facts, and a page for the operator.
//
// It knows sessions and no framework. A framework mounts the middleware of the application's manager, hands each handler the
// session and a [Request], and sends the [Response]; what that takes is the whole of each example program.
package demo

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
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
	sessions  *core.Manager
	journal   *journal
	done      <-chan struct{}
	tick      time.Duration
	pages     map[string]*template.Template
	guard     *http.CrossOriginProtection
}

// New returns the application, to be run on the framework of that name, with its sessions in the store of the options and
// within their StoreTimeout; the other options are its own. Its streams end when done is closed. Whoever made it closes it.
func New(framework string, o core.Options, done <-chan struct{}) (*App, error) {
	a := &App{
		framework: framework,
		journal:   &journal{},
		done:      done,
		tick:      500 * time.Millisecond,
		pages:     map[string]*template.Template{},
		guard:     http.NewCrossOriginProtection(),
	}
	for _, name := range pageNames() {
		page, err := template.ParseFS(web, "web/layout.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("demo: page %s: %w", name, err)
		}
		a.pages[name] = page
	}
	var err error
	if a.sessions, err = core.NewManager(a.options(o)); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return a, nil
}

func pageNames() []string {
	return []string{"home", "preferences", "counter", "live", "session", "devices", "confirm", "password", "operator", "goodbye", "error"}
}

const (
	idleTime       = 24 * time.Hour      // after which a visitor who does nothing is forgotten
	rememberedTime = 30 * 24 * time.Hour // the same for who asked to be remembered
)

// options configures the sessions of the demo. The cookie goes when the browser closes, unless its user asked to be
// remembered, and it may travel over plain http.
//
// Browsers that take localhost for a secure place keep a Secure cookie from http://localhost too, but Safari does not,
// nor does curl. A site that people visit has https and leaves DisableSecure alone.
func (a *App) options(o core.Options) core.Options {
	return core.Options{
		Store:        o.Store, // all there is to swap the store
		StoreTimeout: o.StoreTimeout,
		Expiry:       idleTime,
		Cookie:       core.Cookie{SessionOnly: true, DisableSecure: true},
		OnEvent:      a.journal.add,
	}
}

// Sessions returns the manager of the sessions, whose middleware the framework mounts in front of the routes.
func (a *App) Sessions() *core.Manager { return a.sessions }

// Close ends the goroutine that writes down events. The store belongs to whoever opened it.
func (a *App) Close(ctx context.Context) error { return a.sessions.Close(ctx) }

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
		{http.MethodPost, "/counter/slowly", a.countSlowly},
		{http.MethodGet, "/counter/hits", a.hits},
		{http.MethodPost, "/counter/hits", a.hit},
		{http.MethodGet, "/live", a.live},
		{http.MethodGet, "/live/events", a.events},
		{http.MethodGet, "/live/plain", a.lines},
		{http.MethodGet, "/session", a.session},
		{http.MethodPost, "/session/renew", a.renew},
		{http.MethodGet, "/devices", a.devices},
		{http.MethodPost, "/devices/revoke", confirmed(a.revoke)},
		{http.MethodPost, "/devices/revoke-others", confirmed(a.revokeOthers)},
		{http.MethodGet, "/confirm", signedIn(a.askAgain)},
		{http.MethodPost, "/confirm", signedIn(a.confirm)},
		{http.MethodGet, "/password", confirmed(a.password)},
		{http.MethodPost, "/password", confirmed(a.changePassword)},
		{http.MethodGet, "/operator", a.operators(a.operator)},
		{http.MethodPost, "/operator/end", a.operators(a.end)},
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
