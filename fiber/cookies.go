package sessions

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/valyala/fasthttp"
)

// cookieFields returns the values of the request's Cookie fields, or what they say about the
// cookies of that name. They are valid until the header of the request is changed.
//
// fasthttp keeps the fields as they were sent until somebody reads a cookie. From then on it has
// cookies that it has parsed more leniently than core: it drops the sign of equality of a cookie
// without a name, quotes, and spaces.
func cookieFields(c *fiber.Ctx, name string) [][]byte {
	h := &c.Request().Header
	if keepsSpelling(c) { // PeekAll would find fields of one spelling only.
		return cookiesAsSent(h, name)
	}
	fields := h.PeekAll(fiber.HeaderCookie)
	for _, field := range fields {
		if !sentAs(h.RawHeaders(), field) {
			return cookiesAsSent(h, name)
		}
	}
	return fields
}

// sentAs reports whether the value is that of a Cookie field among the raw header lines, which is
// the case if it has not been parsed. It may miss one, but not take anything else for one.
func sentAs(raw, value []byte) bool {
	const field = "cookie:"
	start := bytes.Index(raw, value)
	if len(value) == 0 || start < 0 {
		return len(value) == 0
	}
	end := start + len(value)
	for start > 0 && isBlank(raw[start-1]) {
		start--
	}
	for end < len(raw) && isBlank(raw[end]) {
		end++
	}
	name := start - len(field)
	return name >= 0 && (name == 0 || raw[name-1] == '\n') &&
		strings.EqualFold(utils.UnsafeString(raw[name:start]), field) &&
		end < len(raw) && (raw[end] == '\r' || raw[end] == '\n')
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// cookiesAsSent returns the cookies of that name, with a name and a value each, as the client has
// spelled them. It leaves out those that middleware has removed, and adds those that middleware
// has set. Behind Fiber's adaptor for net/http all of them have been set in that way.
func cookiesAsSent(h *fasthttp.RequestHeader, name string) (cookies [][]byte) {
	sent := make(map[string]bool) // by the values in the header: whether the client has sent it
	h.VisitAllCookie(func(key, value []byte) {
		if string(key) == name {
			sent[string(value)] = false
		}
	})
	var parsed fasthttp.RequestHeader
	h.VisitAllInOrder(func(key, field []byte) {
		if len(sent) == 0 || !strings.EqualFold(utils.UnsafeString(key), fiber.HeaderCookie) {
			return
		}
		for cookie := range bytes.SplitSeq(field, []byte(";")) {
			parsed.DelAllCookies()
			parsed.AddBytesV(fiber.HeaderCookie, cookie)
			value := string(parsed.Cookie(name))
			if _, ok := sent[value]; ok {
				cookies, sent[value] = append(cookies, cookie), true
			}
		}
	})
	h.VisitAllCookie(func(key, value []byte) {
		if string(key) == name && !sent[string(value)] {
			cookies = append(cookies, append([]byte(name+"="), value...))
		}
	})
	return cookies
}
