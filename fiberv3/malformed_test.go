package sessions_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// TestMalformedRequests sends requests that fasthttp refuses. Fiber runs the middleware for them as well, and then the
// error handler, which changes the session here.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	var seen atomic.Int32
	app := fiber.New(fiber.Config{
		BodyLimit: 10,
		ErrorHandler: func(c fiber.Ctx, err error) error {
			if s, ok := sessions.FromContext(c); ok && !s.IsNew() {
				visits.Update(s, func(n int) int { return n + 10 })
			}
			return fiber.DefaultErrorHandler(c, err)
		},
	})
	app.Use(func(c fiber.Ctx) error {
		seen.Add(1)
		return c.Next()
	}, sessions.New(quiet(sessions.Options{Store: store})))
	app.Get("/count", count)
	app.Get("/read", read)
	url := serve(t, app)
	cookie := visitor(t, url)
	for _, request := range []string{
		"GET /read HTTP/1.1\r\nHost: test\r\nCookie: " + cookie + "\r\nno field\r\n\r\n",
		"POST /read HTTP/1.1\r\nHost: test\r\nCookie: " + cookie + "\r\nContent-Length: 99\r\n\r\n",
		"POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 99\r\n\r\n",
		"GET /read HTTP/1.1\r\nHost: test\r\nCookie: " + strings.Repeat("a", 5000) + "\r\n\r\n",
		"\x16\x03\x01 nothing of HTTP\r\n\r\n",
	} {
		before := seen.Load()
		answer := send(t, url, request)
		refused := strings.HasPrefix(answer, "HTTP/1.1 4") || strings.HasPrefix(answer, "HTTP/1.1 501 ")
		if !refused || strings.Contains(answer, "Set-Cookie") {
			t.Errorf("%.80q is answered %q", request, answer)
		}
		if seen.Load() == before {
			t.Errorf("%.80q: the middleware did not run", request)
		}
	}
	eventually(t, url+"/read", cookie, "11") // one of them showed its cookie before it was refused
	if store.Len() != 1 {
		t.Errorf("there are %d records, want 1", store.Len())
	}
}

func send(t *testing.T, url, request string) string {
	t.Helper()
	conn := connect(t, url)
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, _ := io.ReadAll(conn) // the server may reset the connection, as it does not read a body that it refuses
	return string(answer)
}

// TestUnmatchedRequests answers requests without a route, before the middleware and behind it.
func TestUnmatchedRequests(t *testing.T) {
	t.Parallel()
	for _, skip := range []bool{false, true} {
		store := memstore.New(memstore.Options{})
		app := fiber.New(fiber.Config{SkipUnmatchedRoutes: skip})
		app.Use(sessions.New(quiet(sessions.Options{Store: store})), func(c fiber.Ctx) error {
			increment(c)
			return c.Next()
		})
		app.Get("/", func(c fiber.Ctx) error { return c.SendStatus(http.StatusNoContent) })
		url := serve(t, app)
		res, _ := get(t, url+"/nowhere", "")
		if stored := store.Len() == 1; res.StatusCode != http.StatusNotFound || stored == skip || (cookieOf(res) != "") == skip {
			t.Errorf("SkipUnmatchedRoutes %t: %d with cookie %q and %d records", skip, res.StatusCode, cookieOf(res), store.Len())
		}
	}
}
