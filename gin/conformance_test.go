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

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adaptertest"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// TestConformance proves that the adapter keeps the rules of every adapter.
func TestConformance(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: start})
}

// newEngine returns an engine that answers its own panics and writes nothing to the terminal.
func newEngine() *gin.Engine {
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) {
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	return e
}

func start(t *testing.T, app adaptertest.App) string {
	t.Helper()
	e := newEngine()
	if app.ReadCookies {
		e.Use(func(c *gin.Context) { _, _ = c.Cookie("session") })
	}
	e.Use(failing(app.Failed))
	for _, m := range app.Engine {
		e.Use(sessions.Middleware(m))
	}
	group := e.Group("/group")
	for _, m := range app.Group {
		group.Use(sessions.Middleware(m))
	}
	for _, r := range app.Routes {
		if path, ok := strings.CutPrefix(r.Path, "/group"); ok {
			group.Handle(r.Method, path, guarded(r)...)
		} else {
			e.Handle(r.Method, r.Path, guarded(r)...)
		}
	}
	if app.NotFound != nil {
		e.NoRoute(handler(app.NotFound))
	}
	return serve(t, e)
}

// serve serves h on 127.0.0.1 until the test has ended.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// failure is an error with a status, as applications hand it to Gin.
type failure int

func (f failure) Error() string { return http.StatusText(int(f)) }

// failing is middleware that answers the errors of handlers, outside of the sessions.
func failing(failed func(adaptertest.Context, int) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Next()
		var status failure
		if last := c.Errors.Last(); failed != nil && last != nil && errors.As(last.Err, &status) {
			_ = failed(request{c}, int(status))
		}
	}
}

// guarded returns the handlers of a route, with what guards it.
func guarded(r adaptertest.Route) (chain []gin.HandlerFunc) {
	if r.Guard.CrossOrigin != nil {
		chain = append(chain, sessions.RefuseCrossOrigin(r.Guard.CrossOrigin))
	}
	if r.Guard.Require != nil {
		chain = append(chain, sessions.Require(*r.Guard.Require))
	}
	if r.Guard.CSRFToken {
		chain = append(chain, sessions.RequireCSRFToken())
	}
	if r.Guard.SignOut != "" {
		return append(chain, sessions.SignOut(r.Guard.SignOut))
	}
	return append(chain, handler(r.Handler))
}

func handler(h adaptertest.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		err := h(request{c})
		if err == nil {
			return
		}
		status := failure(core.StatusCode(err))
		errors.As(err, &status)
		_ = c.AbortWithError(int(status), err)
	}
}

// request is the suite's view of one request.
type request struct{ c *gin.Context }

func (r request) Get() *sessions.Session                        { return sessions.Get(r.c) }
func (r request) GetFrom(m *sessions.Manager) *sessions.Session { return sessions.GetFrom(r.c, m) }
func (r request) Load() (*sessions.Session, error)              { return sessions.Load(r.c) }
func (r request) Lookup() (*sessions.Session, bool)             { return sessions.Lookup(r.c) }
func (r request) Commit() error                                 { return sessions.Commit(r.c) }
func (r request) Context() context.Context                      { return r.c.Request.Context() }
func (r request) Query(name string) string                      { return r.c.Query(name) }
func (r request) Header(name string) string                     { return r.c.GetHeader(name) }
func (r request) Form(name string) string                       { return r.c.PostForm(name) }
func (r request) ReturnPath(otherwise string) string            { return sessions.ReturnPath(r.c, otherwise) }
func (r request) SetHeader(name, value string)                  { r.c.Header(name, value) }
func (r request) AddHeader(name, value string)                  { r.c.Writer.Header().Add(name, value) }

func (r request) Body(status int, body string) error {
	r.c.String(status, "%s", body)
	return nil
}

func (r request) Status(status int) error {
	r.c.Status(status)
	return nil
}

func (r request) Redirect(status int, target string) error {
	r.c.Redirect(status, target)
	return nil
}

func (r request) EarlyHints() error {
	r.c.Writer.WriteHeader(http.StatusEarlyHints)
	return nil
}

func (r request) Stream(write func(w adaptertest.Flusher)) error {
	write(stream{r.c.Writer})
	return nil
}

func (r request) Upgrade(talk func(conn net.Conn)) error {
	return adaptertest.Upgrade(r.c.Writer, talk)
}
func (r request) Fail(status int) error { return failure(status) }

type stream struct{ gin.ResponseWriter }

func (s stream) Flush() error {
	s.ResponseWriter.Flush()
	return nil
}
