package sessions_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"

	sessions "github.com/cloakroom-go/sessions/echov5"
)

const visits = sessions.Key[int]("visits")

// discard is a response writer that allocates nothing of its own.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header               { return d.header }
func (d *discard) Write(b []byte) (int, error)       { return len(b), nil }
func (d *discard) WriteString(s string) (int, error) { return len(s), nil }
func (d *discard) WriteHeader(int)                   {}

// allocations returns how often one request allocates.
func allocations(h http.Handler, cookie string) float64 {
	w := &discard{http.Header{}}
	r := &http.Request{Method: http.MethodGet, URL: mustParse("/"), Header: http.Header{}, Body: http.NoBody}
	if cookie != "" {
		r.Header["Cookie"] = []string{cookie}
	}
	return testing.AllocsPerRun(5000, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	})
}

// TestAllocations bounds what a session adds to the bare framework with the same handler.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	read := func(s *sessions.Session) {
		if visits.Get(s) == 0 {
			t.Error("the cookie leads to no session")
		}
	}
	for name, test := range map[string]struct {
		use     func(s *sessions.Session)
		cookie  bool
		limit   float64
		outside []echo.MiddlewareFunc
	}{
		"untouched without a cookie": {nil, false, 1, nil},
		"read one key":               {read, true, 2, nil},
		"increment":                  {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, true, 7, nil},
		"new session":                {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, false, 10, nil},
		// Below a writer of other middleware there is one more of Echo's Responses.
		"untouched below another writer":    {nil, false, 2, []echo.MiddlewareFunc{wrapResponse}},
		"read one key below another writer": {read, true, 3, []echo.MiddlewareFunc{wrapResponse}},
	} {
		with, cookie := application(t, test.use, test.outside...)
		if !test.cookie {
			cookie = ""
		}
		got := allocations(with, cookie) - allocations(bare(test.outside...), cookie)
		if got > test.limit {
			t.Errorf("%s: %v allocations beyond the framework's, want at most %v", name, got, test.limit)
		}
		t.Logf("%s: %v allocations", name, got)
	}
}

// application returns an application with sessions, and the cookie of a session in it.
func application(
	t *testing.T, use func(s *sessions.Session), outside ...echo.MiddlewareFunc,
) (h http.Handler, cookie string) {
	t.Helper()
	m, err := sessions.NewManager(sessions.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	e.Use(outside...)
	e.Use(sessions.Middleware(m))
	e.GET("/first", func(c *echo.Context) error { return visits.Set(sessions.Get(c), 1) })
	e.GET("/", func(c *echo.Context) error {
		if use != nil {
			use(sessions.Get(c))
		}
		return c.NoContent(http.StatusNoContent)
	})
	w := &discard{http.Header{}}
	first := &http.Request{Method: http.MethodGet, URL: mustParse("/first"), Header: http.Header{}, Body: http.NoBody}
	e.ServeHTTP(w, first)
	cookie, _, _ = strings.Cut(w.header.Get("Set-Cookie"), ";")
	return e, cookie
}

// bare returns the same application without sessions.
func bare(outside ...echo.MiddlewareFunc) http.Handler {
	e := echo.New()
	e.Use(outside...)
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error { return next(c) }
	})
	e.GET("/", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
	return e
}

// wrapResponse is middleware that puts a writer of its own above Echo's response.
func wrapResponse(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		res := c.Response()
		c.SetResponse(wrapped{res})
		defer c.SetResponse(res)
		return next(c)
	}
}

func mustParse(path string) *url.URL { return &url.URL{Path: path} }
