package sessions

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/utils/v2"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// keepsSpelling reports whether field names keep the spelling in which they were sent or set, as
// they do if fiber.Config.DisableHeaderNormalizing is set. fasthttp then finds most fields only
// under the very spelling that it is asked for.
func keepsSpelling(c fiber.Ctx) bool { return c.App().Server().DisableHeaderNamesNormalizing }

// cookieFields returns the values of the request's Cookie fields. They are valid until the header
// of the request is changed.
func cookieFields(c fiber.Ctx, m *Manager) [][]byte {
	h := &c.Request().Header
	if keepsSpelling(c) {
		_ = h.Cookie(m.CookieName()) // This makes fasthttp collect the fields of all spellings.
	}
	return h.PeekAll(fiber.HeaderCookie)
}

// committedCookie is the key of a Set-Cookie value that [Commit] has set, among the user values of
// the request. It is the name of the cookie.
type committedCookie string

// applyEarly is apply for a commit before the handler has returned. It also keeps the cookie.
func applyEarly(c fiber.Ctx, reply *adapter.Reply) {
	apply(c, reply)
	if reply.SetCookie != "" {
		c.RequestCtx().SetUserValue(committedCookie(reply.Cookie), reply.SetCookie)
	}
}

// apply sets the cookie and the caching fields of the reply in the response header.
func apply(c fiber.Ctx, reply *adapter.Reply) {
	if !reply.Private {
		return // A reply with a cookie is private.
	}
	h := responseHeader(c)
	if cookie := cookieToSet(c, reply); cookie != "" {
		h.DelCookie(reply.Cookie)
		h.Add(fiber.HeaderSetCookie, cookie)
	}
	cacheControl := reply.CacheControl(h.take(fiber.HeaderCacheControl))
	h.set(fiber.HeaderCacheControl, cacheControl)
	h.set(fiber.HeaderVary, reply.Vary(h.take(fiber.HeaderVary)))
}

// cookieToSet returns the Set-Cookie value of the reply. If the header has lost the cookie that
// [Commit] set, it returns that: fasthttp resets the response when it answers 304 Not Modified to
// a request for a file, for instance.
func cookieToSet(c fiber.Ctx, reply *adapter.Reply) string {
	lost := reply.NoStore && reply.SetCookie == "" &&
		c.Response().Header.PeekCookie(reply.Cookie) == nil
	if !lost {
		return reply.SetCookie
	}
	cookie, _ := c.RequestCtx().UserValue(committedCookie(reply.Cookie)).(string)
	return cookie
}

// header is the header of a response. Its methods take names in canonical form, and find fields
// in any spelling.
type header struct {
	*fasthttp.ResponseHeader
	keepsSpelling bool
}

func responseHeader(c fiber.Ctx) header {
	return header{&c.Response().Header, keepsSpelling(c)}
}

// set sets a field. Unlike [fasthttp.ResponseHeader.Set] it does not normalize the name. fasthttp
// copies the value.
func (h header) set(name, value string) {
	h.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}

// take returns the value of a field as one line. The caller must set the field again: if it had
// several lines, or may have several spellings, take has removed them. The string is valid until
// then.
func (h header) take(name string) string {
	if h.keepsSpelling {
		_, lines := h.spellings(name)
		h.del(name)
		return strings.Join(lines, ", ")
	}
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

// del removes a field.
func (h header) del(name string) {
	h.Del(name)
	if !h.keepsSpelling {
		return
	}
	names, _ := h.spellings(name)
	for _, spelling := range names {
		h.Del(spelling)
	}
}

// spellings returns copies of the names and values of all lines of a field.
func (h header) spellings(name string) (names, values []string) {
	for key, value := range h.All() {
		if strings.EqualFold(utils.UnsafeString(key), name) {
			names, values = append(names, string(key)), append(values, string(value))
		}
	}
	return names, values
}
