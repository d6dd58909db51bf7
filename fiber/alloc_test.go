package sessions_test

import (
	"bufio"
	"log/slog"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

const visits = sessions.Key[int]("visits")

// carry gives a request Cookie fields as the server does, which reads them from the connection.
func carry(ctx *fasthttp.RequestCtx, path string, cookies ...string) {
	text := "GET " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range cookies {
		text += "Cookie: " + field + "\r\n"
	}
	if err := ctx.Request.Header.Read(bufio.NewReader(strings.NewReader(text + "\r\n"))); err != nil {
		panic(err)
	}
}

// allocations returns how often one request allocates.
func allocations(h fasthttp.RequestHandler, cookie string) float64 {
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.SetRequestURI("/")
	if cookie != "" {
		carry(ctx, "/", cookie)
	}
	return testing.AllocsPerRun(5000, func() {
		h(ctx)
		ctx.ResetUserValues() // as the server does between requests
		ctx.Response.Reset()
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
		use    func(s *sessions.Session)
		cookie bool
		lazy   bool
		limit  float64
	}{
		"untouched without a cookie": {nil, false, false, 1},
		"untouched and lazy":         {nil, true, true, 1},
		"read one key":               {read, true, false, 2},
		"increment":                  {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, true, false, 7},
		"new session":                {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, false, false, 9},
	} {
		with, cookie := application(t, test.use, test.lazy)
		if !test.cookie {
			cookie = ""
		}
		got := allocations(with, cookie) - allocations(bare(), cookie)
		if got > test.limit {
			t.Errorf("%s: %v allocations beyond the framework's, want at most %v", name, got, test.limit)
		}
		t.Logf("%s: %v allocations", name, got)
	}
}

// application returns an application with sessions, and the cookie of a session in it.
func application(t *testing.T, use func(s *sessions.Session), lazy bool) (h fasthttp.RequestHandler, cookie string) {
	t.Helper()
	m, err := sessions.NewManager(sessions.Options{Lazy: lazy, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(nil)
	app.Use(sessions.Middleware(m))
	app.Get("/first", func(c *fiber.Ctx) error { return visits.Set(sessions.Get(c), 1) })
	app.Get("/", func(c *fiber.Ctx) error {
		if use != nil {
			use(sessions.Get(c))
		}
		return nil
	})
	h = app.Handler()
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/first")
	h(&ctx)
	cookie, _, _ = strings.Cut(string(ctx.Response.Header.Peek("Set-Cookie")), ";")
	return h, cookie
}

// bare returns the same application without sessions.
func bare() fasthttp.RequestHandler {
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error { return c.Next() })
	app.Get("/", func(*fiber.Ctx) error { return nil })
	return app.Handler()
}
