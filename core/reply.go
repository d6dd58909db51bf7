package core

import "strings"

// Reply is what a commit asks the adapter to put into the head of the response. The zero value asks for nothing.
type Reply struct {
	// Cookie is the name of the cookie that SetCookie is about.
	Cookie string
	// SetCookie is the value of a Set-Cookie field, "" for none. It replaces any other for the same cookie name.
	SetCookie string
	// Private says that the response depends on the session, so that no shared cache may hand it to somebody else. It does
	// wherever SetCookie is not "".
	Private bool

	handed bool // an earlier reply put a cookie into the same header
}

// Apply puts the reply into a header in the form of [net/http]'s.
func (r *Reply) Apply(header map[string][]string) { r.apply(header, new([2]string)) }

// apply is Apply with room for the values of the fields. The header keeps it.
func (r *Reply) apply(header map[string][]string, room *[2]string) {
	if !r.Private {
		return // and no cookie either
	}
	if r.SetCookie != "" {
		header["Set-Cookie"] = withCookie(header["Set-Cookie"], r.Cookie, r.SetCookie)
	}
	room[0] = r.CacheControl(strings.Join(header["Cache-Control"], ", "))
	header["Cache-Control"] = room[0:1:1]
	room[1] = r.Vary(strings.Join(header["Vary"], ", "))
	header["Vary"] = room[1:2:2]
}

// withCookie returns the Set-Cookie values with those for name replaced by the new one: a response may set a cookie only
// once (RFC 6265bis section 4.1.1).
func withCookie(current []string, name, cookie string) []string {
	out := make([]string, 0, len(current)+1)
	for _, c := range current {
		if len(c) <= len(name) || c[:len(name)] != name || c[len(name)] != '=' {
			out = append(out, c)
		}
	}
	return append(out, cookie)
}

// ContentFields are the response fields that describe a body or lead elsewhere. An adapter removes them, in the
// spelling of [net/http], when an error takes the place of the handler's response.
func ContentFields() []string {
	return []string{
		"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
		"Content-Location", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified", "Location", "Trailer",
		"Transfer-Encoding",
	}
}

// ClearContent removes what a header in the form of [net/http]'s says about a response that an error takes the place of.
func ClearContent(header map[string][]string) {
	for _, field := range ContentFields() {
		delete(header, field)
	}
	header["Cache-Control"] = []string{"no-store"}
}

// CacheControl returns the Cache-Control value of the response, given the one the application set. A response that sets
// the cookie is not stored at all; one that depends on the session is not stored by shared caches. Stricter values stay.
func (r *Reply) CacheControl(current string) string {
	switch {
	case !r.Private || hasDirective(current, "no-store"):
		return current
	case r.SetCookie != "" || r.handed:
		return "no-store"
	case current == "":
		return "private"
	case hasBare(current, "private"):
		return current
	}
	// public and s-maxage address shared caches only.
	directives := []string{"private"}
	for directive := range strings.SplitSeq(current, ",") {
		directive = strings.TrimSpace(directive)
		if directive != "" && !isDirective(directive, "public") && !isDirective(directive, "s-maxage") {
			directives = append(directives, directive)
		}
	}
	return strings.Join(directives, ", ")
}

// Vary returns the Vary value of the response, given the one the application set.
func (r *Reply) Vary(current string) string {
	switch {
	case !r.Private || hasDirective(current, "cookie") || hasDirective(current, "*"):
		return current
	case current == "":
		return "Cookie"
	}
	return current + ", Cookie"
}

// hasDirective reports whether a comma-separated field value holds the directive, with or without an argument.
func hasDirective(value, name string) bool {
	for value != "" {
		var directive string
		directive, value, _ = strings.Cut(value, ",")
		if isDirective(strings.TrimSpace(directive), name) {
			return true
		}
	}
	return false
}

func isDirective(directive, name string) bool {
	got, _, _ := strings.Cut(directive, "=")
	return strings.EqualFold(strings.TrimSpace(got), name)
}

// hasBare reports whether a comma-separated field value holds the directive without an argument.
func hasBare(value, name string) bool {
	for directive := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(directive), name) {
			return true
		}
	}
	return false
}
