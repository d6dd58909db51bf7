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
		// Both are read first, because deleting a field may change the order of the others.
		cacheControl, vary := fieldOf(h, fiber.HeaderCacheControl), fieldOf(h, fiber.HeaderVary)
		cacheControl.set(h, reply.CacheControl(cacheControl.value))
		vary.set(h, reply.Vary(vary.value))
	}
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
