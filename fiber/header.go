package sessions

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// apply sets the cookie and the caching fields of the reply in the response header.
func apply(c *fiber.Ctx, reply *adapter.Reply) {
	h := &c.Response().Header
	if reply.SetCookie != "" {
		h.DelCookie(reply.Cookie)
		h.Add(fiber.HeaderSetCookie, reply.SetCookie)
	}
	if reply.Private {
		cacheControl := reply.CacheControl(take(h, fiber.HeaderCacheControl))
		set(h, fiber.HeaderCacheControl, cacheControl)
		set(h, fiber.HeaderVary, reply.Vary(take(h, fiber.HeaderVary)))
	}
}

// set sets a field whose name is in canonical form. Unlike [fasthttp.ResponseHeader.Set] it does
// not normalize the name. fasthttp copies the value.
func set(h *fasthttp.ResponseHeader, name, value string) {
	h.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}

// take returns the value of a field as one line. The caller must set the field again: if it had
// several lines, take has removed them. The string is valid until then.
func take(h *fasthttp.ResponseHeader, name string) string {
	switch lines := h.PeekAll(name); len(lines) {
	case 0:
		return ""
	case 1:
		return utils.UnsafeString(lines[0])
	default:
		line := string(bytes.Join(lines, []byte(", ")))
		h.Del(name)
		return line
	}
}
