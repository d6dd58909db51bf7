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

// fetchOf returns why the browser sends the request, in strings that Fiber does not reuse.
func fetchOf(c fiber.Ctx) adapter.Fetch {
	h, f := &c.Request().Header, adapter.Fetch{Method: c.Method()}
	if !keepsSpelling(c) {
		f.Site = adapter.FetchValue(h.Peek("Sec-Fetch-Site"))
		f.Mode = adapter.FetchValue(h.Peek("Sec-Fetch-Mode"))
		f.Dest = adapter.FetchValue(h.Peek("Sec-Fetch-Dest"))
		return f
	}
	for key, value := range h.All() {
		switch name := utils.UnsafeString(key); {
		case strings.EqualFold(name, "Sec-Fetch-Site"):
			f.Site = adapter.FetchValue(value)
		case strings.EqualFold(name, "Sec-Fetch-Mode"):
			f.Mode = adapter.FetchValue(value)
		case strings.EqualFold(name, "Sec-Fetch-Dest"):
			f.Dest = adapter.FetchValue(value)
		}
	}
	return f
}

// sentField returns a copy of the first value of a field of the request.
func sentField(c fiber.Ctx, name string) string {
	h := &c.Request().Header
	if !keepsSpelling(c) {
		return string(h.Peek(name))
	}
	for key, value := range h.All() {
		if strings.EqualFold(utils.UnsafeString(key), name) {
			return string(value)
		}
	}
	return ""
}

// committedCookie is the key of the Set-Cookie values that [Commit] has set, among the user values
// of the request. It is the name of the cookie.
type committedCookie string

// replyCookies are the Set-Cookie values of a reply.
type replyCookies struct {
	current string
	former  []string
}

// applyEarly is apply for a commit before the handler has returned. It also keeps the cookies.
func applyEarly(c fiber.Ctx, reply *adapter.Reply) {
	apply(c, reply)
	if reply.SetCookie != "" {
		committed := replyCookies{reply.SetCookie, reply.FormerCookies}
		c.RequestCtx().SetUserValue(committedCookie(reply.Cookie), committed)
	}
}

// apply sets the cookie and the caching fields of the reply in the response header.
func apply(c fiber.Ctx, reply *adapter.Reply) {
	if !reply.Private {
		return // A reply with a cookie is private.
	}
	h := responseHeader(c)
	h.delTargeted()
	if set := h.cookiesToSet(c, reply); set.current != "" {
		h.setCookie(set.current)
		for _, former := range set.former {
			h.setCookie(former)
		}
	}
	if reply.ClearSiteData != "" {
		h.set(field{name: "Clear-Site-Data"}, reply.ClearSiteData)
	}
	// Both are read first, because deleting a field may change the order of the others.
	cacheControl, vary := h.field(fiber.HeaderCacheControl), h.field(fiber.HeaderVary)
	h.set(cacheControl, reply.CacheControl(cacheControl.value))
	h.set(vary, reply.Vary(vary.value))
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

// cookiesToSet returns the Set-Cookie values of the reply. If the header has lost those that
// [Commit] set, it returns them: fasthttp resets the response when it answers 304 Not Modified to
// a request for a file, for instance.
func (h header) cookiesToSet(c fiber.Ctx, reply *adapter.Reply) replyCookies {
	if reply.NoStore && reply.SetCookie == "" {
		committed, _ := c.RequestCtx().UserValue(committedCookie(reply.Cookie)).(replyCookies)
		if !h.sets(committed.current) {
			return committed
		}
	}
	return replyCookies{reply.SetCookie, reply.FormerCookies}
}

// sets reports whether the header sets the cookie of a Set-Cookie value.
func (h header) sets(value string) bool {
	for _, line := range h.Cookies() {
		if adapter.SameCookie(utils.UnsafeString(line), value) {
			return true
		}
	}
	return false
}

// setCookie adds a Set-Cookie value in place of those for the same cookie. fasthttp takes all
// cookies of one name for the same.
func (h header) setCookie(value string) {
	name, _, _ := strings.Cut(value, "=")
	if h.PeekCookie(name) != nil {
		var others []string
		for key, line := range h.Cookies() {
			other := string(line)
			if string(key) == name && !adapter.SameCookie(other, value) {
				others = append(others, other)
			}
		}
		h.DelCookie(name)
		for _, other := range others {
			h.Add(fiber.HeaderSetCookie, other)
		}
	}
	h.Add(fiber.HeaderSetCookie, value)
}

// field is a field of a response header, whose name is in canonical form.
type field struct {
	name      string
	value     string   // all lines as one; valid until [header.set]
	spellings []string // the names to delete before the field is set
}

// field returns the field of that name.
func (h header) field(name string) field {
	if h.keepsSpelling {
		names, lines := h.spellings(name)
		return field{name, strings.Join(lines, ", "), names}
	}
	switch lines := h.PeekAll(name); len(lines) {
	case 0:
		return field{name: name}
	case 1:
		return field{name: name, value: utils.UnsafeString(lines[0])}
	default:
		return field{name, string(bytes.Join(lines, []byte(", "))), []string{name}}
	}
}

// set replaces all lines of f by one. Unlike [fasthttp.ResponseHeader.Set] it does not normalize
// the name. fasthttp copies the value.
func (h header) set(f field, value string) {
	for _, spelling := range f.spellings {
		h.Del(spelling)
	}
	h.SetCanonical(utils.UnsafeBytes(f.name), utils.UnsafeBytes(value))
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

// delTargeted removes the fields that tell particular caches what they may store.
func (h header) delTargeted() {
	if h.keepsSpelling {
		for _, name := range adapter.TargetedFields() {
			h.del(name)
		}
		return
	}
	var names []string
	for key := range h.All() {
		if adapter.Targeted(utils.UnsafeString(key)) {
			names = append(names, string(key))
		}
	}
	for _, name := range names {
		h.Del(name)
	}
}
