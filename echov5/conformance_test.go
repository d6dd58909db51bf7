package sessions_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cloakroom-go/sessions/core/adaptertest"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// TestConformance proves that the adapter keeps the rules of every adapter.
func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: start})
}

// TestConformanceBelowOtherWriters runs the suite with middleware outside that replaces Echo's response.
func TestConformanceBelowOtherWriters(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: func(t *testing.T, app adaptertest.App) string {
		t.Helper()
		e := newEngine()
		e.Use(middleware.BodyDump(func(*echo.Context, []byte, []byte, error) {}))
		return startOn(t, e, app)
	}})
}

// newEngine returns an engine that answers its own panics and writes nothing to the terminal.
func newEngine() *echo.Echo {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.Use(middleware.Recover())
	return e
}

func start(t *testing.T, app adaptertest.App) string {
	t.Helper()
	return startOn(t, newEngine(), app)
}

func startOn(t *testing.T, e *echo.Echo, app adaptertest.App) string {
	t.Helper()
	if app.Failed != nil {
		e.HTTPErrorHandler = func(c *echo.Context, err error) {
			_ = app.Failed(request{c}, echo.StatusCode(err))
		}
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
	return func(c *echo.Context) error {
		_ = c.Cookies()
		return next(c)
	}
}

// serve serves h on 127.0.0.1 until the test has ended. What net/http says is dropped: Echo sends the header twice when a
// handler flushes before it writes.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
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
	return func(c *echo.Context) error { return h(request{c}) }
}

// request is the suite's view of one request.
type request struct{ c *echo.Context }

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

// EarlyHints goes past Echo's Responses, which take every status for the final one.
func (r request) EarlyHints() error {
	var w http.ResponseWriter = responseOf(r.c)
	for res, err := echo.UnwrapResponse(w); err == nil; res, err = echo.UnwrapResponse(w) {
		w = res.ResponseWriter
	}
	w.WriteHeader(http.StatusEarlyHints)
	return nil
}

// responseOf returns the outermost of Echo's Responses.
func responseOf(c *echo.Context) *echo.Response {
	res, err := echo.UnwrapResponse(c.Response())
	if err != nil {
		panic(err)
	}
	return res
}

func (r request) Stream(write func(w adaptertest.Flusher)) error {
	write(stream{r.c.Response()})
	return nil
}

func (r request) Upgrade(talk func(conn net.Conn)) error {
	return adaptertest.Upgrade(r.c.Response(), talk)
}

func (r request) Fail(status int) error { return echo.NewHTTPError(status, "") }

type stream struct{ http.ResponseWriter }

func (s stream) Flush() error { return http.NewResponseController(s.ResponseWriter).Flush() }
