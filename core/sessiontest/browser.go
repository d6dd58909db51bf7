package sessiontest

import (
	"cmp"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
)

// Origin is the scheme and host of the URLs that a [Browser] requests. Nothing listens there,
// so any other host works too, and a cookie with a Domain needs that host instead. The scheme
// must be https, because a browser does not send a Secure cookie over http.
const Origin = "https://" + host

const host = "app.test"

// Browser returns a client that passes each request directly to app, without a connection, and
// that keeps cookies and follows redirects as a browser does. URLs start with [Origin]:
//
//	browser := sessiontest.Browser(sessiontest.Handler(engine))
//	response, err := browser.Get(sessiontest.Origin + "/account")
//
// Each client has a cookie jar of its own, which contains the given cookies from the start; see
// [Cookie].
func Browser(app RoundTrip, cookies ...*http.Cookie) *http.Client {
	jar, _ := cookiejar.New(nil) // never fails
	for _, cookie := range cookies {
		origin := &url.URL{Scheme: "https", Host: cmp.Or(cookie.Domain, host), Path: "/"}
		jar.SetCookies(origin, []*http.Cookie{cookie})
	}
	return &http.Client{Transport: app, Jar: jar}
}

// RoundTrip is a function that answers a request. The Test method of a Fiber application becomes
// one without its timeout of a second. With Fiber v3:
//
//	sessiontest.Browser(func(r *http.Request) (*http.Response, error) {
//		return app.Test(r, fiber.TestConfig{Timeout: 0})
//	})
//
// With Fiber v2:
//
//	sessiontest.Browser(func(r *http.Request) (*http.Response, error) { return app.Test(r, -1) })
type RoundTrip func(r *http.Request) (*http.Response, error)

// RoundTrip calls f, so that f is an [http.RoundTripper].
func (f RoundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context()) // A RoundTripper must not modify the request.
		r.Body = http.NoBody
	}
	return f(r)
}

// Handler returns a RoundTrip that answers requests with h, such as the engine of Gin, the
// Echo instance of Echo, or any handler of net/http.
func Handler(h http.Handler) RoundTrip {
	return func(r *http.Request) (*http.Response, error) {
		in := r.Clone(r.Context())
		in.RequestURI = r.URL.RequestURI()
		in.RemoteAddr = "192.0.2.1:1234" // an address for documentation, the same as in httptest
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
