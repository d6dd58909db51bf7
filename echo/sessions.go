// Package sessions provides server-side sessions for Echo.
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
// Most applications need [New], [Options], [Get], [Key] and the methods of [Session].
//
// These are the methods that most applications call:
//
//   - [core.Session.SignIn], or [core.Session.Login], signs a user in
//   - [core.Session.Destroy] signs them out
//   - [core.Session.Subject] returns the user who is signed in
//   - [core.Session.Fresh] and [core.Session.Confirm] ask again before something sensitive
//   - [core.Key.Get], [core.Key.Set], [core.Key.Update] and [core.Key.Take] read and write a value
//   - [core.Manager.List], [core.Manager.Revoke] and [core.Manager.RevokeOthers] are for the page
//     on which users see their devices
//
// All of them are listed at [Session], [Key] and [Manager]. The command line has them with core:
//
//	go doc github.com/cloakroom-go/sessions/core Session.Login
//
// The middleware loads the session before the handler runs. It saves the session before the first
// byte of the response is sent, whichever way the handler sends it. Changes made after that are
// saved when the handler has returned; a change that needs a cookie fails with [ErrLate] then.
//
// Mount the middleware after middleware.Recover, so that nothing is saved when a handler panics,
// and before middleware that wraps the response writer.
//
// If the session cannot be loaded or saved, Echo's error handler gets an [echo.HTTPError] with the
// status of the response, 503 Service Unavailable if the store failed. Its Internal field is the
// cause.
package sessions

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// New returns middleware that gives each request a session. It panics if the options are invalid;
// the message says what to change.
//
// If you set Options.OnEvent, or use a store that needs purging (SQL, MongoDB), use [NewManager]
// and [Middleware] instead: you need the [Manager] to call Close.
func New(o Options) echo.MiddlewareFunc {
	m, err := NewManager(o)
	if err != nil {
		panic(err)
	}
	return Middleware(m)
}

// NewManager returns a manager for [Middleware] and [GetFrom], or an error if the options are
// invalid.
func NewManager(o Options) (*Manager, error) { return core.NewManager(o) }

// Middleware returns middleware that gives each request a session of m. If a request passes the
// middleware of m more than once, it still has one session of m. Middleware panics unless m is
// what [NewManager] has returned without an error.
func Middleware(m *Manager) echo.MiddlewareFunc {
	m.MustBeMade()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			outer := scopeOf(c)
			if outer.Of(m) != nil {
				return next(c)
			}
			r := &request{echo: c}
			if err := r.open(outer, m); err != nil {
				adapter.ClearContent(c.Response().Header())
				return httpError(err)
			}
			return r.serve(next)
		}
	}
}

// Get returns the session of the innermost middleware. It panics if there is none; [Lookup] does
// not.
//
// If Options.Lazy is set, Get loads the session. If that fails, Get returns an empty session, and
// using it makes the response an error.
func Get(c echo.Context) *Session { return scopeOf(c).Get() }

// GetFrom is like [Get], but returns the session of m. It is for requests with several sessions.
// It panics if the middleware of m is not mounted.
func GetFrom(c echo.Context, m *Manager) *Session { return scopeOf(c).GetFrom(m) }

// Lookup is like [Get], but returns false if there is no session: no middleware has given the
// request one, or it cannot be loaded. It never panics, so it is for error handlers, which also
// run for requests that no middleware has seen, and for templates.
func Lookup(c echo.Context) (*Session, bool) { return scopeOf(c).Lookup() }

// Load is like [Get], but returns the error if the session cannot be loaded. The error is an
// [echo.HTTPError]: the handler can return it.
func Load(c echo.Context) (*Session, error) {
	s, err := scopeOf(c).Load()
	return s, httpError(err)
}

// Commit saves the sessions of the request immediately and sets their cookies in the response
// header. Call it before you start to stream, to find out whether the sessions could be saved.
// Later changes are saved as usual. The error is an [echo.HTTPError]: the handler can return it.
func Commit(c echo.Context) error {
	return httpError(scopeOf(c).Commit(func(r *adapter.Reply) { r.Apply(c.Response().Header()) }))
}

// FromContext returns the session of the innermost middleware, given the context of a request or
// one derived from it. It is for services, which do not see Echo's context, and for error
// handlers, which also run for requests without a session.
//
// It returns false if no middleware has given the request a session, or if the session cannot be
// loaded.
func FromContext(ctx context.Context) (*Session, bool) { return core.FromContext(ctx) }

func scopeOf(c echo.Context) *core.Scope { return core.ScopeOf(c.Request().Context()) }
