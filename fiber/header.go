package sessions

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
)

// apply puts the reply into the response's header.
func apply(c *fiber.Ctx, reply *core.Reply) {
	h := &c.Response().Header
	if reply.SetCookie != "" {
		h.DelCookie(reply.Cookie)
		h.Add(fiber.HeaderSetCookie, reply.SetCookie)
	}
	if reply.Private {
		set(h, fiber.HeaderCacheControl, reply.CacheControl(joined(c, fiber.HeaderCacheControl)))
		set(h, fiber.HeaderVary, reply.Vary(joined(c, fiber.HeaderVary)))
	}
}

// set spares fasthttp to bring a name into the form that it has. It copies both.
func set(h *fasthttp.ResponseHeader, name, value string) {
	h.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}

// joined returns a field of the response as one line, ready for that line to be set again.
func joined(c *fiber.Ctx, name string) string {
	h := &c.Response().Header
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
