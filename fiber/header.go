package sessions

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// committedCookie is the key of the Set-Cookie values that [Commit] has set, among the user values
// of the request. It is the name of the cookie.
type committedCookie string

// replyCookies are the Set-Cookie values of a reply.
type replyCookies struct {
	current string
	former  []string
}

// applyEarly is apply for a commit before the handler has returned. It also keeps the cookies.
func applyEarly(c *fiber.Ctx, reply *adapter.Reply) {
	apply(c, reply)
	if reply.SetCookie != "" {
		committed := replyCookies{reply.SetCookie, reply.FormerCookies}
		c.Context().SetUserValue(committedCookie(reply.Cookie), committed)
	}
}

// apply sets the cookie and the caching fields of the reply in the response header.
func apply(c *fiber.Ctx, reply *adapter.Reply) {
	if !reply.Private {
		return // A reply with a cookie is private.
	}
	h := &c.Response().Header
	for _, name := range adapter.TargetedFields() {
		h.Del(name)
	}
	if set := cookiesToSet(h, c, reply); set.current != "" {
		setCookie(h, set.current)
		for _, former := range set.former {
			setCookie(h, former)
		}
	}
	if reply.ClearSiteData != "" {
		h.Set("Clear-Site-Data", reply.ClearSiteData)
	}
	// Both are read first, because deleting a field may change the order of the others.
	cacheControl, vary := fieldOf(h, fiber.HeaderCacheControl), fieldOf(h, fiber.HeaderVary)
	cacheControl.set(h, reply.CacheControl(cacheControl.value))
	vary.set(h, reply.Vary(vary.value))
}

// cookiesToSet returns the Set-Cookie values of the reply. If the header has lost those that
// [Commit] set, it returns them: fasthttp resets the response when it answers 304 Not Modified to
// a request for a file, for instance.
func cookiesToSet(h *fasthttp.ResponseHeader, c *fiber.Ctx, reply *adapter.Reply) replyCookies {
	if reply.NoStore && reply.SetCookie == "" {
		committed, _ := c.Context().UserValue(committedCookie(reply.Cookie)).(replyCookies)
		if !sets(h, committed.current) {
			return committed
		}
	}
	return replyCookies{reply.SetCookie, reply.FormerCookies}
}

// sets reports whether the header sets the cookie of a Set-Cookie value.
func sets(h *fasthttp.ResponseHeader, value string) (found bool) {
	h.VisitAllCookie(func(_, line []byte) {
		found = found || adapter.SameCookie(utils.UnsafeString(line), value)
	})
	return found
}

// setCookie adds a Set-Cookie value in place of those for the same cookie. fasthttp takes all
// cookies of one name for the same.
func setCookie(h *fasthttp.ResponseHeader, value string) {
	name, _, _ := strings.Cut(value, "=")
	if h.PeekCookie(name) != nil {
		var others []string
		h.VisitAllCookie(func(key, line []byte) {
			other := string(line)
			if string(key) == name && !adapter.SameCookie(other, value) {
				others = append(others, other)
			}
		})
		h.DelCookie(name)
		for _, other := range others {
			h.Add(fiber.HeaderSetCookie, other)
		}
	}
	h.Add(fiber.HeaderSetCookie, value)
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
