// Package adapter holds what core and the adapters exchange apart from the session itself: what
// a commit adds to the header of the response, and who sent the request. It is for adapters;
// applications do not need it.
package adapter

import "strings"

// Client reports who sent a request, in the framework's terms: which proxies may be trusted is
// the framework's decision. Core asks it during a commit, on the goroutine of the request, and
// only if the session is to record the answer.
type Client interface {
	// Client returns the client's IP address and its User-Agent field. The strings may belong
	// to the framework: core copies them.
	Client() (ip, userAgent string)
	// Fetch returns why the browser sends the request. Core calls it from any goroutine that
	// uses the session, until the response has begun. It does not keep the strings.
	Fetch() Fetch
}

// Fetch says why the browser sends a request: its method, and the Fetch Metadata fields.
type Fetch struct {
	Method string // the method of the request, in upper case
	Site   string // the Sec-Fetch-Site field
	Mode   string // the Sec-Fetch-Mode field
	Dest   string // the Sec-Fetch-Dest field
}

// Reply is what a commit adds to the header of the response. The zero Reply adds nothing.
type Reply struct {
	// Cookie is the name of the session cookie.
	Cookie string
	// SetCookie is the value of the Set-Cookie field, or "" if the response sets no cookie. It
	// replaces any other value for the same cookie; see [SameCookie].
	SetCookie string
	// FormerCookies are values of further Set-Cookie fields, which remove cookies that the
	// application used before. It is empty if SetCookie is "".
	FormerCookies []string
	// ClearSiteData is the value of the Clear-Site-Data field, or "" if the response has none. It
	// is "" if SetCookie is.
	ClearSiteData string
	// Private says that the response depends on the session, so that no shared cache may store
	// it. It is true whenever SetCookie is not "".
	Private bool
	// NoStore says that no cache may store the response: an earlier reply of the same response
	// has set the cookie, for instance.
	NoStore bool
	// Values is memory for the values of the fields that Apply sets. If it is nil, Apply
	// allocates.
	Values *[2]string
}

// Apply adds the reply to a header in the form of http.Header.
func (r *Reply) Apply(header map[string][]string) {
	if !r.Private {
		return // A reply with a cookie is private.
	}
	if r.SetCookie != "" {
		lines := withCookie(header["Set-Cookie"], r.SetCookie)
		for _, former := range r.FormerCookies {
			lines = withCookie(lines, former)
		}
		header["Set-Cookie"] = lines
	}
	if r.ClearSiteData != "" {
		header["Clear-Site-Data"] = []string{r.ClearSiteData}
	}
	clearTargeted(header)
	if r.applied(header) {
		return
	}
	values := r.Values
	if values == nil {
		values = new([2]string)
	}
	values[0] = r.CacheControl(strings.Join(header["Cache-Control"], ", "))
	header["Cache-Control"] = values[0:1:1]
	values[1] = r.Vary(strings.Join(header["Vary"], ", "))
	header["Vary"] = values[1:2:2]
}

// applied reports whether an earlier reply of the response has set the values, with the same
// memory, and nothing has replaced them.
func (r *Reply) applied(header map[string][]string) bool {
	if r.Values == nil || r.SetCookie != "" {
		return false
	}
	control, vary := header["Cache-Control"], header["Vary"]
	return len(control) == 1 && len(vary) == 1 &&
		&control[0] == &r.Values[0] && &vary[0] == &r.Values[1] &&
		(!r.NoStore || forbidsStorage(control[0]))
}

// withCookie returns the Set-Cookie values with cookie in place of those for the same cookie,
// because a response may set a cookie only once (RFC 6265bis, section 4.1.1).
func withCookie(values []string, cookie string) []string {
	out := make([]string, 0, len(values)+1)
	for _, v := range values {
		if !SameCookie(v, cookie) {
			out = append(out, v)
		}
	}
	return append(out, cookie)
}

// CacheControl returns the Cache-Control value of the response, given the value that the
// application has set. A response that sets the cookie must not be stored at all; one that
// depends on the session must not be stored by shared caches. A stricter value of the
// application stays.
func (r *Reply) CacheControl(current string) string {
	switch {
	case !r.Private || forbidsStorage(current):
		return current
	case r.NoStore || r.SetCookie != "":
		return "no-store"
	case current == "":
		return "private"
	case hasBareDirective(current, "private"):
		return current
	}
	// The directives public and s-maxage are for shared caches only, and must-understand would
	// have caches ignore no-store.
	directives := []string{"private"}
	for directive := range strings.SplitSeq(current, ",") {
		directive = strings.TrimSpace(directive)
		shared := isDirective(directive, "public") || isDirective(directive, "s-maxage") ||
			isDirective(directive, "must-understand")
		if directive != "" && !shared {
			directives = append(directives, directive)
		}
	}
	return strings.Join(directives, ", ")
}

// Vary returns the Vary value of the response, given the value that the application has set.
func (r *Reply) Vary(current string) string {
	switch {
	case !r.Private || hasDirective(current, "cookie") || hasDirective(current, "*"):
		return current
	case current == "":
		return "Cookie"
	}
	return current + ", Cookie"
}
