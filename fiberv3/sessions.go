// Package sessions provides server-side sessions for Fiber v3.
//
//	const visits = sessions.Key[int]("visits")
//
//	app := fiber.New()
//	app.Use(recover.New(), sessions.New(sessions.Options{}))
//	app.Get("/", func(c fiber.Ctx) error {
//		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
//		return c.SendString(fmt.Sprintf("visit %d", n))
//	})
//
// Most applications need [New], [Options], [Get], [Key] and the methods of [Session]. Services
// and error handlers use [FromContext].
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
// The middleware loads the session before the handler runs. It saves the session when the handler
// has returned, before Fiber sends the response. Changes made after that, by a body stream for
// instance, are saved when the response has been sent; a change that needs a cookie fails with
// [ErrLate] then.
//
// Mount the middleware after recover, so that nothing is saved when a handler panics. Mount the
// timeout middleware after this one. If a request times out, the session is saved, but a new
// session is not stored, because the response that Fiber sends has no cookie for it. Call
// [Commit] before c.End, which sends the response at once, for the same reason.
//
// If the session cannot be loaded or saved, Fiber's error handler gets a [fiber.Error] with the
// status of the response, 503 Service Unavailable if the store failed. It also wraps the cause.
package sessions

import (
	"context"
	"sync/atomic"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// New returns middleware that gives each request a session. It panics if the options are invalid;
// the message says what to change.
//
// If you set Options.OnEvent, or use a store that needs purging (SQL, MongoDB), use [NewManager]
// and [Middleware] instead: you need the [Manager] to call Close.
func New(o Options) fiber.Handler {
	m, err := NewManager(o)
	if err != nil {
		panic(err)
	}
	return Middleware(m)
}

// NewManager returns a manager for [Middleware] and [GetFrom], or an error if the options are
// invalid.
func NewManager(o Options) (*Manager, error) {
	m, err := core.NewManager(o)
	if err == nil {
		m.KnowContexts(fiberContexts())
	}
	return m, err
}

// Middleware returns middleware that gives each request a session of m. If a request passes the
// middleware of m more than once, it still has one session of m. Middleware panics unless m is
// what [NewManager] has returned without an error.
//
// It panics in the processes that Fiber starts for Prefork if the store of m keeps the sessions in
// the memory of one process, as the default store does: the others would not know them.
func Middleware(m *Manager) fiber.Handler {
	m.MustBeMade()
	if fiber.IsChild() && m.InProcess() {
		panic("sessions: with Prefork each process of Fiber would have sessions of its own; set " +
			"Options.Store to one that they share, such as redisstore or sqlstore, or leave " +
			"fiber.ListenConfig.EnablePrefork unset")
	}
	m.KnowContexts(fiberContexts())
	var checked atomic.Bool
	return func(c fiber.Ctx) error {
		outer := scopeOf(c)
		if outer.Of(m) != nil {
			return c.Next()
		}
		if !checked.Load() && checked.CompareAndSwap(false, true) {
			checkErrorHandler(c.App(), m)
		}
		r, err := open(c, outer, m)
		if err != nil {
			return reject(c, err)
		}
		return r.serve()
	}
}

// Get returns the session of the innermost middleware. It panics if there is none; [Lookup] does
// not.
//
// If Options.Lazy is set, Get loads the session. If that fails, Get returns an empty session, and
// using it makes the response an error.
func Get(c fiber.Ctx) *Session { return scopeOf(c).Get() }

// GetFrom is like [Get], but returns the session of m. It is for requests with several sessions.
// It panics if the middleware of m is not mounted.
func GetFrom(c fiber.Ctx, m *Manager) *Session { return scopeOf(c).GetFrom(m) }

// Lookup is like [Get], but returns false if there is no session: no middleware has given the
// request one, or it cannot be loaded. It never panics, so it is for error handlers, which also
// run for requests that no middleware has seen, and for templates.
func Lookup(c fiber.Ctx) (*Session, bool) { return scopeOf(c).Lookup() }

// Load is like [Get], but returns the error if the session cannot be loaded. The error wraps a
// [fiber.Error]: the handler can return it.
func Load(c fiber.Ctx) (*Session, error) {
	s, err := scopeOf(c).Load()
	return s, fiberError(err)
}

// Commit saves the sessions of the request immediately and sets their cookies in the response
// header. Call it before you start to stream, to find out whether the sessions could be saved,
// and before c.End. Later changes are saved as usual. The error wraps a [fiber.Error]: the
// handler can return it.
func Commit(c fiber.Ctx) error {
	return fiberError(scopeOf(c).Commit(func(r *adapter.Reply) { applyEarly(c, r) }))
}

// FromContext returns the session of the innermost middleware, given the context of a request or
// one derived from it. It is for services, which do not see Fiber's context, and for error
// handlers, which also run for requests without a session.
//
// It returns false if no middleware has given the request a session, or if the session cannot be
// loaded. It never panics.
//
// The context may be c.Context(), the [fiber.Ctx] itself, or its RequestCtx, from which net/http
// handlers behind Fiber's adaptor get theirs. Only c.Context() may be used after the handler has
// returned.
func FromContext(ctx context.Context) (*Session, bool) {
	if r, ok := ctx.(*fasthttp.RequestCtx); ctx == nil || ok && r == nil {
		return nil, false // A fiber.Ctx that has been released has no RequestCtx.
	}
	return core.FromContext(ctx)
}
