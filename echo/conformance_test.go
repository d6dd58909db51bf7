package sessions_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/cloakroom-go/sessions/core/adaptertest"
	sessions "github.com/cloakroom-go/sessions/echo"
)

// TestConformance proves that the adapter keeps the rules of every adapter.
func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: start})
}

// newEngine returns an engine that answers its own panics and writes nothing to the terminal.
func newEngine() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.Use(middleware.Recover())
	return e
}

func start(t *testing.T, app adaptertest.App) string {
	t.Helper()
	e := newEngine()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if status := new(echo.HTTPError); app.Failed != nil && errors.As(err, &status) {
			_ = app.Failed(request{c}, status.Code)
			return
		}
		e.DefaultHTTPErrorHandler(err, c)
	}
	if app.ReadCookies {
		e.Use(readCookies)
	}
	for _, m := range app.Engine {
		e.Use(sessions.Middleware(m))
	}
	group := e.Group("/group")
	for _, m := range app.Group {
		group.Use(sessions.Middleware(m))
	}
	for _, r := range app.Routes {
		if path, ok := strings.CutPrefix(r.Path, "/group"); ok {
			group.Add(r.Method, path, guarded(r))
		} else {
			e.Add(r.Method, r.Path, guarded(r))
		}
	}
	if app.NotFound != nil {
		e.RouteNotFound("/*", handler(app.NotFound))
	}
	return serve(t, e)
}

func readCookies(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		_ = c.Cookies()
		return next(c)
	}
}

// serve serves h on 127.0.0.1 until the test has ended.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// guarded returns the handler of a route, with what guards it.
func guarded(r adaptertest.Route) echo.HandlerFunc {
	var h echo.HandlerFunc
	if r.Guard.SignOut != "" {
		h = sessions.SignOut(r.Guard.SignOut)
	} else {
		h = handler(r.Handler)
	}
	if r.Guard.CSRFToken {
		h = sessions.RequireCSRFToken()(h)
	}
	if r.Guard.Require != nil {
		h = sessions.Require(*r.Guard.Require)(h)
	}
	if r.Guard.CrossOrigin != nil {
		h = sessions.RefuseCrossOrigin(r.Guard.CrossOrigin)(h)
	}
	return h
}

func handler(h adaptertest.Handler) echo.HandlerFunc {
	return func(c echo.Context) error { return h(request{c}) }
}

// request is the suite's view of one request.
type request struct{ c echo.Context }

func (r request) Get() *sessions.Session                        { return sessions.Get(r.c) }
func (r request) GetFrom(m *sessions.Manager) *sessions.Session { return sessions.GetFrom(r.c, m) }
func (r request) Load() (*sessions.Session, error)              { return sessions.Load(r.c) }
func (r request) Lookup() (*sessions.Session, bool)             { return sessions.Lookup(r.c) }
func (r request) Commit() error                                 { return sessions.Commit(r.c) }
func (r request) Context() context.Context                      { return r.c.Request().Context() }
func (r request) Query(name string) string                      { return r.c.QueryParam(name) }
func (r request) Header(name string) string                     { return r.c.Request().Header.Get(name) }

func (r request) Form(name string) string            { return r.c.FormValue(name) }
func (r request) ReturnPath(otherwise string) string { return sessions.ReturnPath(r.c, otherwise) }
func (r request) SetHeader(name, value string)       { r.c.Response().Header().Set(name, value) }

func (r request) AddHeader(name, value string)             { r.c.Response().Header().Add(name, value) }
func (r request) Body(status int, body string) error       { return r.c.String(status, body) }
func (r request) Status(status int) error                  { return r.c.NoContent(status) }
func (r request) Redirect(status int, target string) error { return r.c.Redirect(status, target) }

// EarlyHints goes past Echo's Response, which takes every status for the final one.
func (r request) EarlyHints() error {
	r.c.Response().Writer.WriteHeader(http.StatusEarlyHints)
	return nil
}

func (r request) Stream(write func(w adaptertest.Flusher)) error {
	write(stream{r.c.Response()})
	return nil
}

func (r request) Upgrade(talk func(conn net.Conn)) error {
	return adaptertest.Upgrade(r.c.Response(), talk)
}

func (r request) Fail(status int) error { return echo.NewHTTPError(status) }

type stream struct{ *echo.Response }

func (s stream) Flush() error {
	s.Response.Flush()
	return nil
}
