package sessions

import (
	"errors"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/utils/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// request is what the middleware keeps for one request, in a single allocation. It is also the
// [adapter.Client] of the scope.
type request struct {
	scope core.Scope
	c     fiber.Ctx // Fiber reuses it when the request is over.
	fetch adapter.Fetch
}

// lazyRequest is a request of a lazy manager.
type lazyRequest struct {
	request
	cookie [96]byte // room for a Cookie field that holds little beyond the session's cookie
}

// open returns a new request and opens its scope, which loads the session unless m is lazy.
func open(c fiber.Ctx, outer *core.Scope, m *Manager) (*request, error) {
	fetch := fetchOf(c) // Reading more of the header could overwrite the cookies.
	r, cookies := newRequest(c, m, make([]string, 0, 4))
	r.c, r.fetch = c, fetch
	err := r.scope.Open(c.Context(), outer, m, r, cookies...)
	return r, err
}

// newRequest returns a new request and appends its Cookie fields to fields, which the caller can
// keep on its stack.
//
// Fiber reuses the memory of its strings when the handler changes the header and when the request
// is over. A lazy manager reads the fields later than that, so it gets copies.
func newRequest(c fiber.Ctx, m *Manager, fields []string) (*request, []string) {
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

// serve runs the handlers with the scope in the contexts of the request, and commits. If a
// handler panics, serve saves nothing.
func (r *request) serve() error {
	r.publish()
	returned := false
	defer func() {
		if !returned && !r.c.IsAbandoned() {
			reply := r.scope.Panicked()
			apply(r.c, &reply)
		}
	}()
	handlerErr := handlerError(r.c.Next())
	returned = true
	if timedOut(r.scope.Context, r.c, handlerErr) {
		_ = r.scope.HeaderSent() // Failures have been logged, and nobody is left to answer.
		if handlerErr == nil && !r.c.IsAbandoned() {
			return fiber.ErrRequestTimeout // Usually nobody looks at it.
		}
		return handlerErr
	}
	if headerIsGone(r.c) {
		_ = r.scope.HeaderSent()
		return handlerErr
	}
	reply, err := leave(r.c, &r.scope, handlerErr)
	if err != nil {
		err := reject(r.c, errors.Join(err, handlerErr))
		apply(r.c, &reply) // A cookie of an earlier commit goes out with the error.
		return err
	}
	apply(r.c, &reply)
	if behindNetHTTP(r.c) {
		closeAfterStream(r.c.Response(), &r.scope)
	}
	return handlerErr
}

// publish puts the scope where [core.ScopeOf] finds it: into the values of the fasthttp request,
// which fiber.Ctx and the requests of Fiber's adaptor have too, and into the context for services,
// which stays valid when the request is over.
//
// When the response has been sent, with its body stream, fasthttp closes the user values of the
// request. Closing the scope saves what was changed after the commit.
func (r *request) publish() {
	values := r.c.RequestCtx()
	values.SetUserValue(core.ScopeKey{}, &r.scope)
	if outer := r.scope.Outer(); outer != nil {
		// The outer scope has to be closed as well, although its key now leads to this one.
		values.SetUserValue(outer, outer)
	}
	r.c.SetContext(&r.scope)
}

// Client returns the client's address and its user agent. It trusts the proxies that the app
// trusts. Fiber reuses the memory of the strings when the request is over; core copies them.
func (r *request) Client() (ip, userAgent string) {
	return r.c.IP(), r.c.Get(fiber.HeaderUserAgent)
}

// Fetch returns why the browser sends the request. It was read when the request began, because
// any goroutine that uses the session may ask, and reading the header is for one at a time.
func (r *request) Fetch() adapter.Fetch { return r.fetch }
