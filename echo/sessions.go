// Package sessions gives Echo applications server-side sessions.
//
//	const visits = sessions.Key[int]("visits")
//
//	e := echo.New()
//	e.Use(middleware.Recover(), sessions.New(sessions.Options{}))
//	e.GET("/", func(c echo.Context) error {
//		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
//		return c.String(200, fmt.Sprintf("visit %d", n))
//	})
//
// The middleware loads the session before the handler and saves it before the first byte of the response, whichever way
// that is sent. Mount it after middleware.Recover, so that a panic passes it by and nothing is saved, and before
// middleware that wraps the writer. When the store fails, the error that reaches Echo's error handler is an
// [echo.HTTPError] of status 503 whose Internal is the cause.
package sessions

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
)

// New returns the middleware for one manager with these options. It panics at start-up on impossible options, with a
// sentence that says what to change; [NewManager] and [Middleware] do the same in two steps with an error. With
// [Options].OnEvent, or a store that the manager has to purge, take those: only who has the manager can close it, which ends
// the goroutines of both.
func New(o Options) echo.MiddlewareFunc {
	m, err := NewManager(o)
	if err != nil {
		panic(err)
	}
	return Middleware(m)
}

// NewManager checks the options and returns a manager for [Middleware] and [GetFrom].
func NewManager(o Options) (*Manager, error) { return core.NewManager(o) }

// request is what the middleware keeps for one request, in a single allocation.
type request struct {
	echo   echo.Context
	scope  core.Scope
	writer writer
	http   http.Request // the server's, with the scope as its context
}

// Client tells the core who sends the request, as far as the application's IPExtractor lets it be known.
func (r *request) Client() (ip, userAgent string) {
	return r.echo.RealIP(), r.echo.Request().UserAgent()
}

// Middleware gives each request a session of m. Mounted twice, it works once.
func Middleware(m *Manager) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			sent := c.Request()
			ctx := sent.Context()
			outer := core.ScopeOf(ctx)
			if outer.Of(m) != nil {
				return next(c)
			}
			r := &request{echo: c}
			if err := r.scope.Open(ctx, outer, m, r, sent.Header["Cookie"]...); err != nil {
				core.ClearContent(c.Response().Header())
				return failure(err)
			}
			return r.serve(c, next)
		}
	}
}

// serve runs the handlers. If they panic the writer is put back and nothing is saved; a response that a failed commit
// kept back is forgotten then too.
func (r *request) serve(c echo.Context, next echo.HandlerFunc) error {
	res := c.Response()
	r.writer = writer{ResponseWriter: res.Writer, scope: &r.scope}
	r.http = *c.Request().WithContext(&r.scope)
	c.SetRequest(&r.http)
	res.Writer = &r.writer
	defer func() {
		res := c.Response() // which a handler may have replaced
		res.Writer = r.writer.ResponseWriter
		r.writer.withdraw(res)
	}()
	err := next(c)
	if commitErr := r.writer.begin(); commitErr != nil {
		return failure(errors.Join(commitErr, err))
	}
	if lateErr := r.scope.Close(); lateErr != nil {
		return errors.Join(err, failure(lateErr))
	}
	if err != nil {
		// Echo's error handler runs outside of all middleware and may use the session, too.
		c.Response().Before(func() { _ = r.scope.Close() })
	}
	return err
}

// failure is the error of a failed load or commit in Echo's terms, nil for none.
func failure(err error) error {
	if err == nil {
		return nil
	}
	code := core.StatusCode(err)
	return &echo.HTTPError{Code: code, Message: http.StatusText(code), Internal: err}
}

// Get returns the session of the innermost middleware. It panics if there is none. On a lazy manager it loads the
// session; if that fails, the session is empty, and using it makes the response an error.
func Get(c echo.Context) *Session { return scope(c).Get() }

// GetFrom returns the session of m, for requests that have several.
func GetFrom(c echo.Context, m *Manager) *Session { return scope(c).Of(m).Get() }

// Load returns the session of the innermost middleware, loading it on a lazy manager, or the error that the handler
// then returns.
func Load(c echo.Context) (*Session, error) {
	s, err := scope(c).Load()
	return s, failure(err)
}

// Commit saves the sessions of the request now and puts their cookies into the response's header, for handlers that
// want to know before they start to stream. What is changed later is saved at the end, unless it needs a cookie.
func Commit(c echo.Context) error {
	return failure(scope(c).Commit(func(r *core.Reply) { r.Apply(c.Response().Header()) }))
}

func scope(c echo.Context) *core.Scope { return core.ScopeOf(c.Request().Context()) }
