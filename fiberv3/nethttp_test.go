package sessions_test

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/compress"

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
// is told of, so what a stream changes is saved when the stream ends.
func TestFiberBehindNetHTTP(t *testing.T) {
	t.Parallel()
	x := newSite(t)
	x.Get("/reader", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		return c.SendStream(readerFunc(func([]byte) (int, error) { return 0, cmp.Or(visits.Set(s, 11), io.EOF) }))
	})
	x.Get("/saved", func(c fiber.Ctx) error {
		s, ctx := sessions.Get(c), c.Context()
		return c.SendStream(readerFunc(func([]byte) (int, error) {
			return 0, cmp.Or(visits.Set(s, 12), s.Save(ctx), io.EOF)
		}))
	})
	x.Get("/writer", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		return c.SendStreamWriter(func(w *bufio.Writer) {
			_, _ = w.WriteString("first, ")
			_ = w.Flush()
			visits.Update(s, func(int) int { return 13 })
			_, _ = w.WriteString("second")
		})
	})
	x.Get("/late", func(c fiber.Ctx) error {
		s, begun := sessions.Get(c), make(chan struct{})
		return c.SendStream(io.MultiReader(strings.NewReader("begun"), readerFunc(func([]byte) (int, error) {
			defer close(begun)
			if err := visits.Set(s, 1); !errors.Is(err, sessions.ErrLate) {
				t.Errorf("a new session in a stream: %v, want ErrLate", err)
			}
			return 0, io.EOF
		})))
	})
	url := serve(t, x.App) // The adaptor would close what it has kept of the request before it serves another.
	server := httptest.NewServer(adaptor.FiberApp(x.App))
	defer server.Close()
	cookie := visitor(t, server.URL)
	for _, test := range [...]struct{ path, body, want string }{
		{"/reader", "", "11"}, {"/saved", "", "12"}, {"/writer", "first, second", "13"},
	} {
		if res, body := get(t, server.URL+test.path, cookie); body != test.body || res.StatusCode != http.StatusOK {
			t.Errorf("%s: the answer is %d %q", test.path, res.StatusCode, body)
		}
		if _, body := get(t, url+"/read", cookie); body != test.want {
			t.Errorf("%s: the session holds %q, want %q", test.path, body, test.want)
		}
	}
	if res, body := get(t, server.URL+"/late", ""); body != "begun" || cookieOf(res) != "" {
		t.Errorf("/late: the answer is %q with cookie %q", body, cookieOf(res))
	}
	x.wantRecords(t, 1)
	x.sawLate(t)
}

// closer notes that it was closed.
type closer struct {
	io.Reader
	closed chan error
}

func (c closer) Close() error {
	c.closed <- nil
	return nil
}

func (c closer) CloseWithError(err error) error {
	c.closed <- err
	return nil
}

// TestStreamsBehindNetHTTPAreClosed has a body stream that wants to be closed, with two managers and compression around it.
func TestStreamsBehindNetHTTPAreClosed(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	closed := make(chan error, 10)
	app := newApp(nil)
	app.Use(compress.New(), sessions.Middleware(outer), sessions.Middleware(inner))
	app.Get("/count", func(c fiber.Ctx) error {
		visits.Update(sessions.GetFrom(c, outer), func(n int) int { return n + 1 })
		return count(c)
	})
	app.Get("/read", func(c fiber.Ctx) error {
		return c.SendString(strconv.Itoa(visits.Get(sessions.GetFrom(c, outer))) + " " + strconv.Itoa(visits.Get(sessions.Get(c))))
	})
	app.Get("/stream", func(c fiber.Ctx) error {
		o, i := sessions.GetFrom(c, outer), sessions.Get(c)
		return c.SendStream(closer{readerFunc(func([]byte) (int, error) {
			return 0, cmp.Or(visits.Set(o, 5), visits.Set(i, 6), io.EOF)
		}), closed})
	})
	url := serve(t, app)
	server := httptest.NewServer(adaptor.FiberApp(app))
	defer server.Close()
	res, _ := get(t, server.URL+"/count", "")
	cookies := make([]string, 0, 2)
	for _, line := range res.Header["Set-Cookie"] {
		cookie, _, _ := strings.Cut(line, ";")
		cookies = append(cookies, cookie)
	}
	get(t, server.URL+"/stream", strings.Join(cookies, "; "))
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, body := get(t, url+"/read", strings.Join(cookies, "; ")); body != "5 6" {
		t.Errorf("the sessions hold %q, want 5 and 6", body)
	}
}

// readerFunc is a function that is a reader.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
