package sessiontest

import (
	"cmp"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
)

// Origin is how the URLs of a [Browser] start. Any other host would do, since nothing is listening; where the cookie has a
// Domain it has to be that one. But https it must be: a browser sends a Secure cookie nowhere else.
const Origin = "https://" + host

const host = "app.test"

// Browser returns a client that brings each request to app itself, with no connection in between, and that keeps cookies and
// follows redirects as a browser does. The URLs start with [Origin]:
//
//	browser := sessiontest.Browser(sessiontest.Handler(engine))
//	response, err := browser.Get(sessiontest.Origin + "/account")
//
// Each call is another browser, with a jar of its own in which these cookies are already; see [Cookie].
func Browser(app RoundTrip, cookies ...*http.Cookie) *http.Client {
	jar, _ := cookiejar.New(nil) // it does not fail
	for _, cookie := range cookies {
		at := &url.URL{Scheme: "https", Host: cmp.Or(cookie.Domain, host), Path: "/"}
		jar.SetCookies(at, []*http.Cookie{cookie})
	}
	return &http.Client{Transport: app, Jar: jar}
}

// RoundTrip answers a request. Fiber's applications have such a method, but for the time limit:
//
//	sessiontest.Browser(func(r *http.Request) (*http.Response, error) { return app.Test(r, -1) })
type RoundTrip func(r *http.Request) (*http.Response, error)

// RoundTrip makes the function an [http.RoundTripper].
func (f RoundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context()) // the client's requests are not for a transport to change
		r.Body = http.NoBody
	}
	return f(r)
}

// Handler returns what answers requests by h: the engine of Gin, the Echo of Echo, and all of net/http.
func Handler(h http.Handler) RoundTrip {
	return func(r *http.Request) (*http.Response, error) {
		in := r.Clone(r.Context())
		in.RequestURI = r.URL.RequestURI()
		in.RemoteAddr = "192.0.2.1:1234" // of the addresses for documentation, as package httptest has it
		if in.Host == "" {
			in.Host = r.URL.Host
		}
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, in)
		response := recorder.Result()
		response.Request = r
		return response, nil
	}
}
