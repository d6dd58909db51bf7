package sessions

import (
	"errors"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// request is what the middleware keeps for one request, in a single allocation. It is also the
// [adapter.Client] of the scope.
type request struct {
	scope core.Scope
	c     *fiber.Ctx // Fiber reuses it when the request is over.
	fetch adapter.Fetch
	over  atomic.Bool // the request is over, so c belongs to another one
}

// lazyRequest is a request of a lazy manager.
type lazyRequest struct {
	request
	cookie [96]byte // room for a Cookie field that holds little beyond the session's cookie
}

// open returns a new request and opens its scope, which loads the session unless m is lazy.
func open(c *fiber.Ctx, outer *core.Scope, m *Manager) (*request, error) {
	fetch := fetchOf(c) // Reading more of the header could overwrite the cookies.
	r, cookies := newRequest(c, m, make([]string, 0, 4))
	r.c, r.fetch = c, fetch
	err := r.scope.Open(c.UserContext(), outer, m, r, cookies...)
	return r, err
}

// newRequest returns a new request and appends its Cookie fields to fields, which the caller can
// keep on its stack.
//
// Fiber reuses the memory of its strings when the handler changes the header and when the request
// is over. A lazy manager reads the fields later than that, so it gets copies.
func newRequest(c *fiber.Ctx, m *Manager, fields []string) (*request, []string) {
	sent := cookieFields(c, m.CookieName())
	if !m.Lazy() {
		for _, field := range sent {
			fields = append(fields, utils.UnsafeString(field))
		}
		return &request{}, fields
	}
	if len(sent) == 1 && len(sent[0]) <= len(lazyRequest{}.cookie) {
		r := &lazyRequest{}
		n := copy(r.cookie[:], sent[0])
		return &r.request, append(fields, utils.UnsafeString(r.cookie[:n]))
	}
	for _, field := range sent {
		fields = append(fields, string(field))
	}
	return &request{}, fields
}

// serve runs the handlers with the scope in the contexts of the request, and commits. If a handler
// panics, serve saves nothing.
//
// [core.ScopeOf] finds the scope in the values of the fasthttp request, and in the user context,
// which is for services and stays valid when the request is over.
//
// When the response has been sent, with its body stream, fasthttp closes the user values of the
// request, r among them. The handlers are still running then if Fiber's timeout.New has put them
// on another goroutine.
func (r *request) serve() error {
	c, scope := r.c, &r.scope
	c.Context().SetUserValue(core.ScopeKey{}, scope)
	c.Context().SetUserValue(r, r)
	c.SetUserContext(scope)
	returned := false
	defer func() {
		if !returned {
			reply := scope.Panicked()
			apply(c, &reply)
		}
	}()
	handlerErr := handlerError(c.Next())
	returned = true
	if r.over.Load() {
		_ = scope.HeaderSent() // Failures have been logged, and nobody is left to answer.
		return handlerErr
	}
	if behindNetHTTP(c) {
		_ = c.Response().Body() // This reads the body stream to its end.
	}
	reply, err := leave(c, scope, handlerErr)
	if err != nil {
		err := reject(c, errors.Join(err, handlerErr))
		apply(c, &reply) // A cookie of an earlier commit goes out with the error.
		return err
	}
	apply(c, &reply)
	if behindNetHTTP(c) {
		_ = scope.Close() // What an error handler changes now is saved at once.
	}
	return handlerErr
}

// Close notes that the request is over. Closing the scope saves what was changed after the commit.
func (r *request) Close() error {
	r.over.Store(true)
	return r.scope.Close()
}

// behindNetHTTP reports whether the request was not read by fasthttp's server, but comes from a
// server of net/http through Fiber's adaptor. That reads a body stream before it answers, and
// nobody closes the user values of such a request. So what the stream changes has to be part of
// the commit.
func behindNetHTTP(c *fiber.Ctx) bool { return c.Context().ConnRequestNum() == 0 }

// Client returns the client's address and its user agent. It trusts the proxies that the app
// trusts. Fiber reuses the memory of the strings when the request is over; core copies them.
func (r *request) Client() (ip, userAgent string) {
	if r.over.Load() {
		return "", ""
	}
	return r.c.IP(), r.c.Get(fiber.HeaderUserAgent)
}

// Fetch returns why the browser sends the request. It was read when the request began, because
// any goroutine that uses the session may ask, and reading the header is for one at a time.
func (r *request) Fetch() adapter.Fetch { return r.fetch }
