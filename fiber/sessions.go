// Package sessions gives Fiber applications server-side sessions.
//
//	const visits = sessions.Key[int]("visits")
//
//	app := fiber.New()
//	app.Use(recover.New(), sessions.New(sessions.Options{}))
//	app.Get("/", func(c *fiber.Ctx) error {
//		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
//		return c.SendString(fmt.Sprintf("visit %d", n))
//	})
//
// The middleware loads the session before the handler and saves it when the handler has returned, before Fiber sends
// the response. What a body stream changes after that is saved when the stream ends, unless it needs a cookie. Mount
// the middleware after recover, so that a panic passes it by and nothing is saved. When the store fails, the error that
// reaches Fiber's error handler is a [fiber.Error] of status 503 and wraps the cause.
package sessions

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/cloakroom-go/sessions/core"
)

// New returns the middleware for one manager with these options. It panics at start-up on impossible options, with a
// sentence that says what to change; [NewManager] and [Middleware] do the same in two steps with an error. With
// [Options].OnEvent, or a store that the manager has to purge, take those: only who has the manager can close it, which ends
// the goroutines of both.
func New(o Options) fiber.Handler {
	m, err := NewManager(o)
	if err != nil {
		panic(err)
	}
	return Middleware(m)
}

// NewManager checks the options and returns a manager for [Middleware] and [GetFrom].
func NewManager(o Options) (*Manager, error) { return core.NewManager(o) }

// Middleware gives each request a session of m. Mounted twice, it works once.
func Middleware(m *Manager) fiber.Handler {
	return func(c *fiber.Ctx) error {
		outer := scope(c)
		if outer.Of(m) != nil {
			return c.Next()
		}
		ctx := c.UserContext()
		if outer != nil {
			ctx = outer
		}
		sc, fields := open(c, m.Lazy(), make([]string, 0, 4))
		if err := sc.Open(ctx, outer, m, (*client)(c), fields...); err != nil {
			return fail(c, err)
		}
		return serve(c, sc)
	}
}

// request is a scope with room for a Cookie field of the session's and little else, in a single allocation.
type request struct {
	scope core.Scope
	room  [96]byte
}

// open returns a new scope and the Cookie fields, which it appends to those given. Fiber's own strings change when the handler
// sets the header or the request is over: a lazy manager, which reads them later, gets copies.
func open(c *fiber.Ctx, lazy bool, fields []string) (*core.Scope, []string) {
	sent := c.Request().Header.PeekAll(fiber.HeaderCookie)
	if lazy && len(sent) == 1 && len(sent[0]) <= len(request{}.room) {
		r := &request{}
		n := copy(r.room[:], sent[0])
		return &r.scope, append(fields, utils.UnsafeString(r.room[:n]))
	}
	for _, field := range sent {
		text := utils.UnsafeString(field)
		if lazy {
			text = utils.CopyString(text)
		}
		fields = append(fields, text)
	}
	return &core.Scope{}, fields
}

// serve runs the handlers and commits. If they panic nothing is saved. Fiber's server closes the values of a request
// when the response has been sent, its body stream included; closing the scope saves what was changed after the commit.
func serve(c *fiber.Ctx, sc *core.Scope) error {
	c.Context().SetUserValue(core.ScopeKey{}, sc)
	if outer := sc.Outer(); outer != nil {
		c.Context().SetUserValue(outer, outer) // to be closed as well, now that the key is another's
	}
	handlerErr := c.Next()
	reply, err := sc.Finish()
	if err != nil {
		return fail(c, errors.Join(err, handlerErr))
	}
	apply(c, &reply)
	return handlerErr
}

// fail drops the handler's response and returns the error that Fiber is to answer.
func fail(c *fiber.Ctx, err error) error {
	c.Response().ResetBody()
	for _, field := range core.ContentFields() {
		c.Response().Header.Del(field)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return failed(err)
}

// failure is a failed load or commit: a [fiber.Error] to Fiber, the cause to [errors.Is], and no detail to the client.
type failure struct {
	answer *fiber.Error
	cause  error
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	code := core.StatusCode(err)
	return &failure{answer: fiber.NewError(code, http.StatusText(code)), cause: err}
}

// Error returns what Fiber's own error handler sends to the client.
func (f *failure) Error() string { return f.answer.Message }

// Unwrap returns both sides of the failure.
func (f *failure) Unwrap() []error { return []error{f.answer, f.cause} }

// client tells the core who sends the request, as far as the app's trusted proxies let it be known.
type client fiber.Ctx

// Client returns the address and the user agent. The strings are Fiber's; the core copies them.
func (c *client) Client() (ip, userAgent string) {
	f := (*fiber.Ctx)(c)
	return f.IP(), f.Get(fiber.HeaderUserAgent)
}

// Get returns the session of the innermost middleware. It panics if there is none. On a lazy manager it loads the
// session; if that fails, the session is empty, and using it makes the response an error.
func Get(c *fiber.Ctx) *Session { return scope(c).Get() }

// GetFrom returns the session of m, for requests that have several.
func GetFrom(c *fiber.Ctx, m *Manager) *Session { return scope(c).Of(m).Get() }

// Load returns the session of the innermost middleware, loading it on a lazy manager, or the error that the handler
// then returns.
func Load(c *fiber.Ctx) (*Session, error) {
	s, err := scope(c).Load()
	return s, failed(err)
}

// Commit saves the sessions of the request now and puts their cookies into the response's header, for handlers that
// want to know before they start to stream. What is changed later is saved at the end.
func Commit(c *fiber.Ctx) error {
	return failed(scope(c).Commit(func(r *core.Reply) { apply(c, r) }))
}

func scope(c *fiber.Ctx) *core.Scope { return core.ScopeOf(c.Context()) }
