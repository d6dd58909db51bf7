// Package demo is a small web application that the example programs share. Users can sign in
// and out, be remembered, and manage their devices, and they are asked to confirm who they are
// before sensitive actions. There are a visit counter, flash messages, preferences, a counter
// for concurrent requests, a stream, a page about the session itself, and a page for the
// operator.
//
// The package uses sessions but no framework. An example program mounts the middleware with
// the application's manager, calls each handler with the session and a [Request], and sends
// the [Response].
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

// The keys of values in the session.
const (
	visits         = core.Key[int]("visits")
	clicks         = core.Key[int]("clicks")
	watched        = core.Key[int]("watched")
	flash          = core.Key[string]("flash")
	preferencesKey = core.Key[Preferences]("preferences")
)

// App is the application. It is safe for concurrent use.
type App struct {
	framework    string
	sessions     *core.Manager
	eventLog     *eventLog
	done         <-chan struct{}
	tickInterval time.Duration
	pages        map[string]*template.Template
	crossOrigin  *http.CrossOriginProtection
}

// New returns the application for the framework with the given name. It uses Store and
// StoreTimeout of the options and sets the other options itself. Its streams end when done is
// closed. The caller must call Close.
func New(framework string, o core.Options, done <-chan struct{}) (*App, error) {
	a := &App{
		framework:    framework,
		eventLog:     &eventLog{},
		done:         done,
		tickInterval: 500 * time.Millisecond,
		pages:        map[string]*template.Template{},
		crossOrigin:  http.NewCrossOriginProtection(),
	}
	for _, name := range pageNames() {
		page, err := template.ParseFS(web, "web/layout.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("demo: page %s: %w", name, err)
		}
		a.pages[name] = page
	}
	var err error
	if a.sessions, err = core.NewManager(a.managerOptions(o)); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return a, nil
}

func pageNames() []string {
	return []string{
		"home", "preferences", "counter", "live", "session", "devices", "confirm", "password",
		"operator", "goodbye", "error",
	}
}

const (
	idleTimeout       = 24 * time.Hour
	rememberedTimeout = 30 * 24 * time.Hour // of users who asked to be remembered
)

// managerOptions returns the options of the manager. The browser deletes the cookie when it is
// closed, unless the user asked to be remembered.
//
// The cookie may be sent over plain HTTP. Many browsers accept a Secure cookie from
// http://localhost, but Safari and curl do not. Real sites use HTTPS and do not set this
// option.
func (a *App) managerOptions(o core.Options) core.Options {
	return core.Options{
		Store:        o.Store, // changing the store takes nothing else
		StoreTimeout: o.StoreTimeout,
		Expiry:       idleTimeout,
		Cookie:       core.Cookie{SessionOnly: true, DisableSecure: true},
		OnEvent:      a.eventLog.add,
	}
}

// Sessions returns the manager for the middleware, which must be mounted before the routes.
func (a *App) Sessions() *core.Manager { return a.sessions }

// Close stops the goroutine that records events. It does not close the store.
func (a *App) Close(ctx context.Context) error { return a.sessions.Close(ctx) }

// Route is a path of the application.
type Route struct {
	Method  string
	Path    string
	Handler Handler
}

// Routes returns all routes. All other paths are handled by [App.NotFound].
func (a *App) Routes() []Route {
	routes := []Route{
		{http.MethodGet, "/", a.home},
		{http.MethodPost, "/signin", a.signIn},
		{http.MethodPost, "/signout", a.signOut},
		{http.MethodGet, "/goodbye", a.goodbye},
		{http.MethodGet, "/preferences", a.preferences},
		{http.MethodPost, "/preferences", a.savePreferences},
		{http.MethodGet, "/counter", a.counter},
		{http.MethodPost, "/counter", a.countClick},
		{http.MethodPost, "/counter/slowly", a.countSlowly},
		{http.MethodGet, "/counter/hits", a.clickCount},
		{http.MethodPost, "/counter/hits", a.click},
		{http.MethodGet, "/live", a.live},
		{http.MethodGet, "/live/events", a.events},
		{http.MethodGet, "/live/plain", a.plainEvents},
		{http.MethodGet, "/session", a.session},
		{http.MethodGet, "/session/left", a.sessionLeft},
		{http.MethodPost, "/session/renew", a.renew},
		{http.MethodGet, "/devices", a.devices},
		{http.MethodPost, "/devices/revoke", confirmed(a.revoke)},
		{http.MethodPost, "/devices/revoke-others", confirmed(a.revokeOthers)},
		{http.MethodGet, "/confirm", signedIn(a.confirmForm)},
		{http.MethodPost, "/confirm", signedIn(a.confirm)},
		{http.MethodGet, "/password", confirmed(a.password)},
		{http.MethodPost, "/password", confirmed(a.changePassword)},
		{http.MethodGet, "/operator", a.localOnly(a.operator)},
		{http.MethodPost, "/operator/end", a.localOnly(a.endSession)},
		{http.MethodGet, "/style.css", asset("style.css", "text/css; charset=utf-8")},
		{http.MethodGet, "/app.js", asset("app.js", "text/javascript; charset=utf-8")},
		{http.MethodGet, "/favicon.svg", asset("favicon.svg", "image/svg+xml")},
	}
	for i, route := range routes {
		routes[i].Handler = a.protected(route.Handler)
		if route.Method == http.MethodGet {
			routes = append(routes, Route{http.MethodHead, route.Path, routes[i].Handler})
		}
	}
	return routes
}
