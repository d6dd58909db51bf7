package sessions_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

// TestFiberBehindNetHTTP serves an application of Fiber with a server of net/http. That has no end of a request that Fiber
// is told of, so a stream is read before the commit.
func TestFiberBehindNetHTTP(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	app.Get("/stream", func(c *fiber.Ctx) error {
		s := sessions.Get(c)
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			_, _ = w.WriteString("first, ")
			_ = w.Flush()
			visits.Update(s, func(n int) int { return n + 10 })
			_, _ = w.WriteString("second")
		})
		return nil
	})
	server := httptest.NewServer(adaptor.FiberApp(app))
	defer server.Close()
	res, _ := get(t, server.URL+"/count", "")
	known := cookieOf(res)
	for cookie, want := range map[string]string{known: "11", "": "10"} {
		res, body := get(t, server.URL+"/stream", cookie)
		if body != "first, second" || res.StatusCode != http.StatusOK {
			t.Errorf("the answer is %d %q", res.StatusCode, body)
		}
		if cookie == "" {
			cookie = cookieOf(res)
		}
		if _, body := get(t, server.URL+"/read", cookie); body != want {
			t.Errorf("the session holds %q, want %q", body, want)
		}
	}
}

// TestErrorHandlerBehindNetHTTP has an error handler change the session.
func TestErrorHandlerBehindNetHTTP(t *testing.T) {
	t.Parallel()
	app := newApp(func(c *fiber.Ctx, _ error) error {
		increment(c)
		return c.SendString("sorry")
	})
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	app.Get("/fail", func(*fiber.Ctx) error { return fiber.ErrTeapot })
	server := httptest.NewServer(adaptor.FiberApp(app))
	defer server.Close()
	res, _ := get(t, server.URL+"/count", "")
	cookie := cookieOf(res)
	get(t, server.URL+"/fail", cookie)
	if _, body := get(t, server.URL+"/read", cookie); body != "2" {
		t.Errorf("the session holds %q, want 2", body)
	}
}
