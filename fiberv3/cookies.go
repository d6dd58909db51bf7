package sessions

import (
	"bytes"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/utils/v2"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// cookieFields returns the values of the request's Cookie fields, or what they say about the
// cookies of that name. They are valid until the header of the request is changed.
//
// fasthttp keeps the fields as they were sent until somebody reads a cookie. From then on it has
// cookies that it has parsed more leniently than core: it drops the sign of equality of a cookie
// without a name, quotes, and spaces.
func cookieFields(c fiber.Ctx, name string) [][]byte {
	h := &c.Request().Header
	if keepsSpelling(c) { // PeekAll would find fields of one spelling only.
		return cookiesAsSent(h, name)
	}
	fields := h.PeekAll(fiber.HeaderCookie)
	for _, field := range fields {
		if !adapter.IsCookieField(h.RawHeaders(), field) {
			return cookiesAsSent(h, name)
		}
	}
	return fields
}

// cookiesAsSent returns the cookies of that name, with a name and a value each, as the client has
// spelled them. It leaves out those that middleware has removed, and adds those that middleware
// has set. Behind Fiber's adaptor for net/http all of them have been set in that way.
func cookiesAsSent(h *fasthttp.RequestHeader, name string) (cookies [][]byte) {
	sent := make(map[string]bool) // by the values in the header: whether the client has sent it
	for key, value := range h.Cookies() {
		if string(key) == name {
			sent[string(value)] = false
		}
	}
	var parsed fasthttp.RequestHeader
	for key, field := range h.AllInOrder() {
		if len(sent) == 0 || !strings.EqualFold(utils.UnsafeString(key), fiber.HeaderCookie) {
			continue
		}
		for cookie := range bytes.SplitSeq(field, []byte(";")) {
			parsed.DelAllCookies()
			parsed.AddBytesV(fiber.HeaderCookie, cookie)
			value := string(parsed.Cookie(name))
			if _, ok := sent[value]; ok {
				cookies, sent[value] = append(cookies, cookie), true
			}
		}
	}
	for key, value := range h.Cookies() {
		if string(key) == name && !sent[string(value)] {
			cookies = append(cookies, append([]byte(name+"="), value...))
		}
	}
	return cookies
}
