package adaptertest

import (
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// crossOriginCases returns the cases G2, about requests that another origin has caused.
func crossOriginCases() []testCase {
	return []testCase{
		{"G2/CrossOrigin", ruleOrigin, crossOrigin},
		{"G2/WithoutSession", ruleOrigin, crossOriginWithoutSession},
	}
}

// originCases returns requests from all kinds of origins, each with a method, a path, a host and
// pairs of fields.
func originCases() (cases [][]string) {
	sites := []string{
		"", "same-origin", "none", "same-site", "cross-site", "Same-Origin", "galactic",
	}
	origins := []string{
		"", "null", "http://HOST", "https://HOST", "http://HOST.", "http://user@HOST",
		"http://HOST/path", "HOST", "http://evil.example", "http://evil.example/HOST",
		"https://friend.example", "https://friend.example:443", "https://FRIEND.example",
		"http://friend.example", "://", "http://",
	}
	for _, site := range sites {
		for _, origin := range origins {
			for _, method := range []string{"POST", "GET"} {
				cases = append(cases, originCase(method, "/origin", site, origin))
			}
		}
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"} {
			cases = append(cases, originCase(method, "/origin", site, "http://evil.example"))
		}
		for _, path := range []string{"/origin/hook", "/origin/hook?x=/origin"} {
			cases = append(cases,
				originCase("POST", path, site, "http://evil.example"),
				originCase("PUT", path, site, "http://evil.example"))
		}
	}
	return append(cases,
		append(originCase("POST", "/origin", "same-origin", ""), "Sec-Fetch-Site", "cross-site"),
		append(originCase("POST", "/origin", "cross-site", ""), "Sec-Fetch-Site", "same-origin"),
		append(originCase("POST", "/origin", "", "http://HOST"), "Origin", "http://evil.example"),
		append(originCase("POST", "/origin", "", "http://evil.example"), "Origin", "http://HOST"),
	)
}

func originCase(method, path, site, origin string) (c []string) {
	c = []string{method, path}
	if site != "" {
		c = append(c, "Sec-Fetch-Site", site)
	}
	if origin != "" {
		c = append(c, "Origin", origin)
	}
	return c
}

// crossOrigin compares which requests are refused with what the standard library says.
func crossOrigin(e *env) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin("https://friend.example"); err != nil {
		e.Fatalf("AddTrustedOrigin: %v", err)
	}
	protection.AddInsecureBypassPattern("POST /origin/hook")
	h := func(c Context) error { return c.Body(http.StatusOK, handlerBody) }
	for _, path := range []string{"/origin", "/origin/hook"} {
		e.guard(Guard{CrossOrigin: protection}, path, h,
			"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
	}
	e.serve(core.Options{})
	b, refused := e.newVisitor(), 0
	for _, c := range originCases() {
		r := b.request(e.Context(), c[0], c[1], c[2:]...)
		for i, origin := range r.Header["Origin"] {
			r.Header["Origin"][i] = strings.ReplaceAll(origin, "HOST", r.URL.Host)
		}
		sent := r.Clone(e.Context())
		sent.Host = sent.URL.Host
		err := protection.Check(sent)
		a := b.do(r)
		switch forbidden := a.status == http.StatusForbidden; {
		case forbidden != (err != nil):
			e.Errorf("%v: status is %d, and the standard library says %v", c, a.status, err)
		case forbidden:
			refused++
			e.wantRefused(a, http.StatusForbidden)
		}
	}
	if refused < 50 {
		e.Errorf("%d requests were refused; the cases are too few", refused)
	}
}

// crossOriginWithoutSession mounts the protection where no session is.
func crossOriginWithoutSession(e *env) {
	h := func(c Context) error { return c.Body(http.StatusOK, handlerBody) }
	e.guard(Guard{CrossOrigin: http.NewCrossOriginProtection()}, "/origin", h, "POST")
	e.start()
	b := e.newBrowser()
	r := b.request(e.Context(), "POST", "/origin", "Sec-Fetch-Site", "cross-site")
	e.wantRefused(b.do(r), http.StatusForbidden)
	r = b.request(e.Context(), "POST", "/origin", "Sec-Fetch-Site", "same-origin")
	e.wantBody(b.do(r), handlerBody)
}
