package adaptertest

import (
	"net/http"
	"testing"

	"github.com/cloakroom-go/sessions/core"
)

// Server tells the suite how to run the framework with the adapter under test.
type Server struct {
	// Start serves app on 127.0.0.1 until the test ends, and returns the base URL of the
	// server. It must mount the framework's recover middleware first, outside the session
	// middleware.
	Start func(t *testing.T, app App) string

	// NoInformational reports that the framework cannot send 1xx responses before the
	// response.
	NoInformational bool

	// idle reports that no request is being served, so that nothing that a request does is still
	// to come. It is nil except in tests of the suite itself, which need not wait for a broken
	// adapter.
	idle func() bool
}

// App is an application that the suite wants served.
type App struct {
	// Engine lists the managers whose middleware is mounted on the whole application,
	// outermost first. A manager may occur twice.
	Engine []*core.Manager
	// Group lists the managers whose middleware is mounted on the group of routes under
	// /group, outermost first.
	Group []*core.Manager
	// Routes lists the routes of the application. Those whose path starts with /group/ belong
	// to the group.
	Routes []Route
	// ReadCookies asks for middleware outside of the sessions that reads the cookies of every
	// request by the framework's own means.
	ReadCookies bool
	// NotFound handles requests that match no route. If it is nil, the framework answers them.
	NotFound Handler
	// Failed answers the errors of [Context].Fail where the framework has errors answered: in
	// its error handler or, if it has none, in middleware outside the session middleware. If the
	// framework has neither, the adapter's test calls Failed where the handler has returned the
	// error. If Failed is nil, the framework answers them.
	Failed func(c Context, status int) error
}

// Route is one route of an [App].
type Route struct {
	Method  string
	Path    string // without parameters
	Handler Handler
	Guard   Guard
}

// Guard is what the adapter's functions put in front of a handler, or in its place. They are
// mounted in this order, inside of the sessions, if there are any. The zero value is nothing.
type Guard struct {
	CrossOrigin *http.CrossOriginProtection // of RefuseCrossOrigin; nil: it is not mounted
	Require     *core.Requirement           // of Require; nil: it is not mounted
	CSRFToken   bool                        // whether RequireCSRFToken is mounted
	SignOut     string                      // of SignOut, in place of the handler; "": it is not
}

// Handler handles a request by means that every framework has. The adapter's test passes an
// error that it returns to the framework's error handling.
type Handler func(c Context) error
