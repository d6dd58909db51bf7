package sessions

import (
	"errors"

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
}

// lazyRequest is a request of a lazy manager.
type lazyRequest struct {
	request
	cookie [96]byte // room for a Cookie field that holds little beyond the session's cookie
}

// open returns a new request and opens its scope, which loads the session unless m is lazy.
func open(c *fiber.Ctx, outer *core.Scope, m *Manager) (*request, error) {
	fetch := fetchOf(c) // Reading more of the header could overwrite the cookies.
	r, cookies := newRequest(c, m.Lazy(), make([]string, 0, 4))
	r.c, r.fetch = c, fetch
	err := r.scope.Open(c.UserContext(), outer, m, r, cookies...)
	return r, err
}

// newRequest returns a new request and appends its Cookie fields to fields, which the caller can
// keep on its stack.
//
// Fiber reuses the memory of its strings when the handler changes the header and when the request
// is over. A lazy manager reads the fields later than that, so it gets copies.
func newRequest(c *fiber.Ctx, lazy bool, fields []string) (*request, []string) {
	sent := c.Request().Header.PeekAll(fiber.HeaderCookie)
	if lazy && len(sent) == 1 && len(sent[0]) <= len(lazyRequest{}.cookie) {
		r := &lazyRequest{}
		n := copy(r.cookie[:], sent[0])
		return &r.request, append(fields, utils.UnsafeString(r.cookie[:n]))
	}
	for _, field := range sent {
		text := utils.UnsafeString(field)
		if lazy {
			text = utils.CopyString(text)
		}
		fields = append(fields, text)
	}
	return &request{}, fields
}

// fetchOf returns why the browser sends the request, in strings that Fiber does not reuse.
func fetchOf(c *fiber.Ctx) adapter.Fetch {
	h := &c.Request().Header
	return adapter.Fetch{
		Method: c.Method(),
		Site:   adapter.FetchValue(h.Peek("Sec-Fetch-Site")),
		Mode:   adapter.FetchValue(h.Peek("Sec-Fetch-Mode")),
		Dest:   adapter.FetchValue(h.Peek("Sec-Fetch-Dest")),
	}
}

// serve runs the handlers with the scope in the contexts of the request, and commits. If a handler
// panics, serve saves nothing.
//
// [core.ScopeOf] finds the scope in the values of the fasthttp request, and in the user context,
// which is for services and stays valid when the request is over.
//
// When the response has been sent, with its body stream, fasthttp closes the user values of the
// request. Closing the scope saves what was changed after the commit.
func (r *request) serve() error {
	c, scope := r.c, &r.scope
	c.Context().SetUserValue(core.ScopeKey{}, scope)
	if outer := scope.Outer(); outer != nil {
		// The outer scope has to be closed as well, although its key now leads to this one.
		c.Context().SetUserValue(outer, outer)
	}
	c.SetUserContext(scope)
	returned := false
	defer func() {
		if !returned {
			reply := scope.Panicked()
			apply(c, &reply)
		}
	}()
	handlerErr := c.Next()
	returned = true
	reply, err := leave(c, scope, handlerErr)
	if err != nil {
		return reject(c, errors.Join(err, handlerErr))
	}
	apply(c, &reply)
	return handlerErr
}

// Client returns the client's address and its user agent. It trusts the proxies that the app
// trusts. Fiber reuses the memory of the strings when the request is over; core copies them.
func (r *request) Client() (ip, userAgent string) {
	return r.c.IP(), r.c.Get(fiber.HeaderUserAgent)
}

// Fetch returns why the browser sends the request. It was read when the request began, because
// any goroutine that uses the session may ask, and reading the header is for one at a time.
func (r *request) Fetch() adapter.Fetch { return r.fetch }
