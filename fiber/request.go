package sessions

import (
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/cloakroom-go/sessions/core"
)

// request is what the middleware keeps for one request of a lazy manager, in a single allocation.
type request struct {
	scope  core.Scope
	cookie [96]byte // room for a Cookie field that holds little beyond the session's cookie
}

// open returns a scope for the request and opens it, which loads the session unless m is lazy.
func open(c *fiber.Ctx, outer *core.Scope, m *Manager) (*core.Scope, error) {
	scope, cookies := newScope(c, m.Lazy(), make([]string, 0, 4))
	err := scope.Open(c.UserContext(), outer, m, (*client)(c), cookies...)
	return scope, err
}

// newScope returns a new scope and appends the Cookie fields of the request to fields, which the
// caller can keep on its stack.
//
// Fiber reuses the memory of its strings when the handler changes the header and when the request
// is over. A lazy manager reads the fields later than that, so it gets copies.
func newScope(c *fiber.Ctx, lazy bool, fields []string) (*core.Scope, []string) {
	sent := c.Request().Header.PeekAll(fiber.HeaderCookie)
	if lazy && len(sent) == 1 && len(sent[0]) <= len(request{}.cookie) {
		r := &request{}
		n := copy(r.cookie[:], sent[0])
		return &r.scope, append(fields, utils.UnsafeString(r.cookie[:n]))
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

// serve runs the handlers with the scope in the contexts of the request, and commits. If a handler
// panics, serve saves nothing.
//
// [core.ScopeOf] finds the scope in the values of the fasthttp request, and in the user context,
// which is for services and stays valid when the request is over.
//
// When the response has been sent, with its body stream, fasthttp closes the user values of the
// request. Closing the scope saves what was changed after the commit.
func serve(c *fiber.Ctx, scope *core.Scope) error {
	c.Context().SetUserValue(core.ScopeKey{}, scope)
	if outer := scope.Outer(); outer != nil {
		// The outer scope has to be closed as well, although its key now leads to this one.
		c.Context().SetUserValue(outer, outer)
	}
	c.SetUserContext(scope)
	handlerErr := c.Next()
	reply, err := scope.CommitHeader()
	if err != nil {
		return reject(c, errors.Join(err, handlerErr))
	}
	apply(c, &reply)
	return handlerErr
}

// client implements [adapter.Client]. It trusts the proxies that the app trusts.
type client fiber.Ctx

// Client returns the client's address and its user agent. Fiber reuses the memory of the strings
// when the request is over; core copies them.
func (c *client) Client() (ip, userAgent string) {
	f := (*fiber.Ctx)(c)
	return f.IP(), f.Get(fiber.HeaderUserAgent)
}
