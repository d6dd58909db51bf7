// Package sessions provides server-side sessions for net/http, and for routers that use its
// handlers, such as chi.
//
//	const visits = sessions.Key[int]("visits")
//
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
//		n := visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
//		fmt.Fprintf(w, "visit %d", n)
//	})
//	session := sessions.New(sessions.Options{})
//	http.ListenAndServe("localhost:8080", session(mux))
//
// Most applications need [New], [Options], [Get], [Key] and the methods of [Session]. Services use
// [FromContext].
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
// Mount the middleware inside middleware that recovers from panics, so that nothing is saved when
// a handler panics, and outside middleware that wraps the response writer. [http.TimeoutHandler]
// belongs inside as well: outside, it drops the cookie together with a response that comes too
// late.
//
// If the session cannot be loaded or saved, the response is the text of an error status, and
// nothing of what the handler has written: 503 Service Unavailable if the store failed. Middleware
// mounted outside the sessions sees the status and can replace the text. The cause goes to
// Options.Logger if the store failed, and to the ErrorLog of the [http.Server] if the program has
// to change, as for a session that is too large.
//
// The device that a session records has the address in [http.Request.RemoteAddr]. Behind a proxy,
// mount middleware that puts the client's address there, with or without a port.
package sessions

import (
	"context"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// New returns middleware that gives each request a session. It panics if the options are invalid;
// the message says what to change.
//
// If you set Options.OnEvent, or use a store that needs purging (SQL, MongoDB), use [NewManager]
// and [Middleware] instead: you need the [Manager] to call Close.
func New(o Options) func(http.Handler) http.Handler {
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
func Middleware(m *Manager) func(http.Handler) http.Handler {
	m.MustBeMade()
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("sessions: the middleware got no handler; pass it the next http.Handler")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, original *http.Request) {
			outer := core.ScopeOf(original.Context())
			if outer.Of(m) != nil {
				next.ServeHTTP(w, original)
				return
			}
			r := &request{}
			if err := r.open(original, outer, m); err != nil {
				reject(w, err)
				return
			}
			r.serve(next, w, original) //nolint:contextcheck // The scope wraps its context.
		})
	}
}

// Get returns the session of the innermost middleware. It panics if there is none; [Lookup] does
// not.
//
// If Options.Lazy is set, Get loads the session. If that fails, Get returns an empty session, and
// using it makes the response an error.
func Get(r *http.Request) *Session { return scopeOf(r).Get() }

// GetFrom is like [Get], but returns the session of m. It is for requests with several sessions.
// It panics if the middleware of m is not mounted.
func GetFrom(r *http.Request, m *Manager) *Session { return scopeOf(r).GetFrom(m) }

// Lookup is like [Get], but returns false if there is no session: no middleware has given the
// request one, or it cannot be loaded. It never panics, so it is for error handlers, which also
// run for requests that no middleware has seen, and for templates.
func Lookup(r *http.Request) (*Session, bool) { return scopeOf(r).Lookup() }

// Load is like [Get], but returns the error if the session cannot be loaded. [core.StatusCode]
// returns the status for that error; its text is not meant for the client.
func Load(r *http.Request) (*Session, error) { return scopeOf(r).Load() }

// Commit saves the sessions of the request immediately and sets their cookies in the header of w,
// which may wrap the writer that the middleware has passed on. Call it before you start to stream,
// to find out whether the sessions could be saved. Later changes are saved as usual.
//
// After an error the response has to be an error; [core.StatusCode] returns its status, which is
// 409 for [ErrGone]: another request has ended a session. A response with an error status goes out
// as the handler makes it, and nothing is saved any more. Otherwise the middleware tries to save
// changes to a stored session once more, and replaces the handler's response if that fails as
// well. A login, and the values of a new session, are dropped.
func Commit(w http.ResponseWriter, r *http.Request) error {
	return scopeOf(r).Commit(func(reply *adapter.Reply) { reply.Apply(w.Header()) })
}

// FromContext returns the session of the innermost middleware, given the context of a request or
// one derived from it. It is for services, which do not see the request, and for functions that
// also run for requests without a session.
//
// It returns false if no middleware has given the request a session, or if the session cannot be
// loaded. It never panics.
func FromContext(ctx context.Context) (*Session, bool) { return core.FromContext(ctx) }

func scopeOf(r *http.Request) *core.Scope { return core.ScopeOf(r.Context()) }
