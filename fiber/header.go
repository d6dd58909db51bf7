package sessions

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// committedCookie is the key of a Set-Cookie value that [Commit] has set, among the user values of
// the request. It is the name of the cookie.
type committedCookie string

// applyEarly is apply for a commit before the handler has returned. It also keeps the cookie.
func applyEarly(c *fiber.Ctx, reply *adapter.Reply) {
	apply(c, reply)
	if reply.SetCookie != "" {
		c.Context().SetUserValue(committedCookie(reply.Cookie), reply.SetCookie)
	}
}

// apply sets the cookie and the caching fields of the reply in the response header.
func apply(c *fiber.Ctx, reply *adapter.Reply) {
	if !reply.Private {
		return // A reply with a cookie is private.
	}
	h := &c.Response().Header
	if cookie := cookieToSet(c, reply); cookie != "" {
		h.DelCookie(reply.Cookie)
		h.Add(fiber.HeaderSetCookie, cookie)
	}
	// Both are read first, because deleting a field may change the order of the others.
	cacheControl, vary := fieldOf(h, fiber.HeaderCacheControl), fieldOf(h, fiber.HeaderVary)
	cacheControl.set(h, reply.CacheControl(cacheControl.value))
	vary.set(h, reply.Vary(vary.value))
}

// cookieToSet returns the Set-Cookie value of the reply. If the header has lost the cookie that
// [Commit] set, it returns that: fasthttp resets the response when it answers 304 Not Modified to
// a request for a file, for instance.
func cookieToSet(c *fiber.Ctx, reply *adapter.Reply) string {
	lost := reply.NoStore && reply.SetCookie == "" &&
		c.Response().Header.PeekCookie(reply.Cookie) == nil
	if !lost {
		return reply.SetCookie
	}
	cookie, _ := c.Context().UserValue(committedCookie(reply.Cookie)).(string)
	return cookie
}

// field is a field of a response header, whose name is in canonical form.
type field struct {
	name  string
	value string // all lines as one; valid until set
	lines int
}

func fieldOf(h *fasthttp.ResponseHeader, name string) field {
	lines := h.PeekAll(name)
	f := field{name: name, lines: len(lines)}
	switch f.lines {
	case 0:
	case 1:
		f.value = utils.UnsafeString(lines[0])
	default:
		f.value = string(bytes.Join(lines, []byte(", ")))
	}
	return f
}

// set replaces the lines of the field by one. Unlike [fasthttp.ResponseHeader.Set] it does not
// normalize the name. fasthttp copies the value.
func (f field) set(h *fasthttp.ResponseHeader, value string) {
	if f.lines > 1 {
		h.Del(f.name)
	}
	h.SetCanonical(utils.UnsafeBytes(f.name), utils.UnsafeBytes(value))
}
