// Package sessions gives Gin applications server-side sessions.
//
//	const visits = sessions.Key[int]("visits")
//
//	r := gin.New()
//	r.Use(gin.Recovery(), sessions.New(sessions.Options{}))
//	r.GET("/", func(c *gin.Context) {
//		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
//		c.String(200, "visit %d", n)
//	})
//
// The middleware loads the session before the handler and saves it before the first byte of the response, whichever way
// that is sent. Mount it after gin.Recovery, so that a panic passes it by and nothing is saved, and before middleware
// that wraps the writer. When the store fails the response is 503: an error is added to the context with
// [gin.Context.Error], and middleware outside of this one may write the body.
package sessions

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
)

// New returns the middleware for one manager with these options. It panics at start-up on impossible options, with a
// sentence that says what to change; [NewManager] and [Middleware] do the same in two steps with an error. With
// [Options].OnEvent, or a store that the manager has to purge, take those: only who has the manager can close it, which ends
// the goroutines of both.
func New(o Options) gin.HandlerFunc {
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
	scope  core.Scope
	writer writer
	http   http.Request // the server's, with the scope as its context
}

// Middleware gives each request a session of m. Mounted twice, it works once.
func Middleware(m *Manager) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx := c.Request.Context()
		outer := core.ScopeOf(ctx)
		if sc := outer.Of(m); sc != nil {
			if !covers(c.Writer, sc) { // gin.Engine.HandleContext routes the request again, with Gin's bare writer
				(&writer{ResponseWriter: c.Writer, scope: sc}).run(c)
			}
			return
		}
		r := &request{}
		r.writer = writer{ResponseWriter: c.Writer, scope: &r.scope}
		if err := r.scope.Open(ctx, outer, m, (*client)(c), c.Request.Header["Cookie"]...); err != nil {
			r.writer.refuse(c, err)
			return
		}
		r.serve(c)
	}
}

// serve runs the handlers with the session in the request's context.
func (r *request) serve(c *gin.Context) {
	r.http = *c.Request.WithContext(&r.scope)
	c.Request = &r.http
	r.writer.run(c)
}

// client tells the core who sends the request, as far as the engine's trusted proxies let it be known.
type client gin.Context

// Client returns the address and the user agent.
func (c *client) Client() (ip, userAgent string) {
	g := (*gin.Context)(c)
	return g.ClientIP(), g.Request.UserAgent()
}

// Get returns the session of the innermost middleware. It panics if there is none. On a lazy manager it loads the
// session; if that fails, the session is empty, and using it makes the response an error.
func Get(c *gin.Context) *Session { return scope(c).Get() }

// GetFrom returns the session of m, for requests that have several.
func GetFrom(c *gin.Context, m *Manager) *Session { return scope(c).Of(m).Get() }

// Load returns the session of the innermost middleware, loading it on a lazy manager, or the error that the handler
// then answers.
func Load(c *gin.Context) (*Session, error) { return scope(c).Load() }

// Commit saves the sessions of the request now and puts their cookies into the response's header, for handlers that
// want to know before they start to stream. What is changed later is saved at the end, unless it needs a cookie.
func Commit(c *gin.Context) error {
	return scope(c).Commit(func(r *core.Reply) { r.Apply(c.Writer.Header()) })
}

func scope(c *gin.Context) *core.Scope { return core.ScopeOf(c.Request.Context()) }
