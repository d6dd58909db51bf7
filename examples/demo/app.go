// Package demo is what the example programs share: pages, and everything that needs no framework.
// Users can sign in and out, be remembered, and manage their devices, and they are asked to
// confirm who they are before sensitive actions. There are a visit counter, flash messages,
// preferences, a counter for concurrent requests, a stream, a page about the session itself, and a
// page for the operator.
//
// An example program makes the manager, mounts the middleware, and signs users in and out with its
// framework's package. It sends each [Response] of this package as it is. For the routes of
// [App.Routes] it calls a handler with the session and a [Request].
package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

//go:embed web
var web embed.FS

// The keys of values in the session. The example programs have some of their own.
const (
	clicks         = core.Key[int]("clicks")
	watched        = core.Key[int]("watched")
	flash          = core.Key[string]("flash")
	preferencesKey = core.Key[Preferences]("preferences")
)

// Config is what an application needs to know.
type Config struct {
	Framework     string          // the name that the pages show
	Store         core.Store      // keeps the sessions of visitors; nil is one in memory
	StoreTimeout  time.Duration   // how long a call of the store may take
	OperatorToken string          // what the operator's page asks for
	Done          <-chan struct{} // ends streams when it is closed
}

// App is the application. It is safe for concurrent use.
type App struct {
	// Store and StoreTimeout are those of the configuration, for [core.Options].
	Store        core.Store
	StoreTimeout time.Duration

	framework     string
	done          <-chan struct{}
	operators     *core.Manager
	operatorStore *memstore.Store
	gate          *gate
	eventLog      *eventLog
	tickInterval  time.Duration
	pages         map[string]*template.Template
	crossOrigin   *http.CrossOriginProtection
}

// New returns the application. The caller must call Close.
func New(c Config) (*App, error) {
	a := &App{
		Store:         c.Store,
		StoreTimeout:  c.StoreTimeout,
		framework:     c.Framework,
		done:          c.Done,
		operatorStore: memstore.New(memstore.Options{}),
		gate:          newGate(c.OperatorToken),
		eventLog:      &eventLog{},
		tickInterval:  500 * time.Millisecond,
		pages:         map[string]*template.Template{},
		crossOrigin:   http.NewCrossOriginProtection(),
	}
	for _, name := range pageNames() {
		page, err := template.ParseFS(web, "web/layout.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("demo: page %s: %w", name, err)
		}
		a.pages[name] = page
	}
	var err error
	if a.operators, err = core.NewManager(a.operatorOptions()); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return a, nil
}

func pageNames() []string {
	return []string{
		"home", "preferences", "counter", "live", "session", "devices", "confirm", "password",
		"operator", "token", "goodbye", "error",
	}
}

// Record takes the events that the operator's page shows. It is for [core.Options.OnEvent].
func (a *App) Record(e core.Event) { a.eventLog.add(e) }

// Close ends what New has started. It does not close the store.
func (a *App) Close(ctx context.Context) error {
	return errors.Join(a.operators.Close(ctx), a.operatorStore.Close())
}

// Route is a path of the application.
type Route struct {
	Method  string
	Path    string
	Handler Handler
}

// Routes returns the routes that the example programs do not handle themselves. The manager is
// that of the visitors' sessions. All other paths are handled by [App.NotFound].
func (a *App) Routes(m *core.Manager) []Route {
	o := &operator{App: a, sessions: m}
	routes := []Route{
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
		{http.MethodGet, "/operator", o.only(o.show)},
		{http.MethodPost, "/operator", o.enter},
		{http.MethodPost, "/operator/end", o.only(o.end)},
		{http.MethodPost, "/operator/leave", o.leave},
		{http.MethodGet, "/style.css", asset("style.css", "text/css; charset=utf-8")},
		{http.MethodGet, "/app.js", asset("app.js", "text/javascript; charset=utf-8")},
		{http.MethodGet, "/favicon.svg", asset("favicon.svg", "image/svg+xml")},
	}
	for _, route := range routes {
		if route.Method == http.MethodGet {
			route.Method, route.Handler = http.MethodHead, withoutStream(route.Handler)
			routes = append(routes, route)
		}
	}
	return routes
}
