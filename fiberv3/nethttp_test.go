package sessions_test

import (
	"cmp"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// sessionOf returns the session that a handler of net/http finds in the context of its request.
func sessionOf(r *http.Request) *sessions.Session {
	s, ok := sessions.FromContext(r.Context())
	if !ok {
		panic("the request has no session")
	}
	return s
}

// add adds n to the visits of a handler of net/http.
func add(r *http.Request, n int) int {
	return visits.Update(sessionOf(r), func(visits int) int { return visits + n })
}

func countHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strconv.Itoa(add(r, 1)))
}

// TestNetHTTPHandlers mounts handlers of net/http through Fiber's adaptor.
func TestNetHTTPHandlers(t *testing.T) {
	t.Parallel()
	local := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, ok := adaptor.LocalContextFromHTTPRequest(r)
		if !ok || ctx.Value(core.ScopeKey{}) != r.Context().Value(core.ScopeKey{}) {
			t.Error("the local context has no session")
		}
		countHTTP(w, r)
	})
	flushing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		countHTTP(w, r)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		add(r, 10)
	})
	x := newSite(t)
	x.Get("/func", adaptor.HTTPHandlerFunc(countHTTP))
	x.Get("/local", adaptor.HTTPHandlerWithContext(local))
	x.Get("/flush", adaptor.HTTPHandler(flushing))
	x.Get("/mixed", http.HandlerFunc(countHTTP)) // Fiber wraps it by itself
	url := serve(t, x.App)
	for path, after := range map[string]string{"/func": "1", "/local": "1", "/flush": "11", "/mixed": "1"} {
		res, body := get(t, url+path, "")
		cookie := cookieOf(res)
		if body != "1" || cookie == "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the answer is %d %q with cookie %q", path, res.StatusCode, body, cookie)
		}
		eventually(t, url+"/read", cookie, after)
	}
}

// TestNetHTTPMiddleware has middleware of net/http on either side of the sessions, which makes Fiber rebuild the request.
func TestNetHTTPMiddleware(t *testing.T) {
	t.Parallel()
	middleware := adaptor.HTTPMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("X-Seen", "yes")
			next.ServeHTTP(w, r)
		})
	})
	for _, lazy := range []bool{false, true} {
		app := newApp(nil)
		app.Use(middleware, sessions.New(quiet(sessions.Options{Lazy: lazy})), middleware)
		app.Get("/", func(c fiber.Ctx) error {
			if s, ok := sessions.FromContext(c.Context()); !ok || s != sessions.Get(c) {
				t.Errorf("FromContext returned %v, %t", s, ok)
			}
			if c.Get("X-Seen") != "yes" {
				t.Error("the middleware of net/http was not there")
			}
			return count(c)
		})
		url := serve(t, app)
		res, _ := get(t, url, "")
		if _, body := get(t, url, "a=b; "+cookieOf(res)); body != "2" {
			t.Errorf("lazy %t: the second answer is %q, want 2", lazy, body)
		}
	}
}

// TestFiberBehindNetHTTP serves an application of Fiber with a server of net/http. That has no end of a request that Fiber
// is told of, so a stream saves what it changes by itself.
func TestFiberBehindNetHTTP(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/stream", func(c fiber.Ctx) error {
		s, ctx := sessions.Get(c), c.Context()
		return c.SendStream(readerFunc(func([]byte) (int, error) {
			return 0, cmp.Or(visits.Set(s, 11), s.Save(ctx), io.EOF)
		}))
	})
	server := httptest.NewServer(adaptor.FiberApp(x.App))
	defer server.Close()
	cookie := visitor(t, server.URL)
	get(t, server.URL+"/stream", cookie)
	eventually(t, server.URL+"/read", cookie, "11")
	x.wantRecords(t, 1)
}

// readerFunc is a function that is a reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
