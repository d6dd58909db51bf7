package sessions_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/adaptertest"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// serviceKey is a key of the application's own.
type serviceKey struct{}

// TestFromContext looks for the session in everything that is a context of the request, or derived from one.
func TestFromContext(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/", func(c fiber.Ctx) error {
		want := sessions.Get(c)
		for name, ctx := range map[string]context.Context{"c": c, "Context": c.Context(), "RequestCtx": c.RequestCtx()} {
			derived := context.WithValue(ctx, serviceKey{}, 1)
			for _, ctx := range []context.Context{ctx, derived} {
				if s, ok := sessions.FromContext(ctx); !ok || s != want {
					t.Errorf("from %s: %v, %t, want the session", name, s, ok)
				}
			}
		}
		return nil
	})
	get(t, serve(t, app), "")
}

// TestFromContextFindsNone passes contexts that belong to no request, and to a request without the middleware.
func TestFromContextFindsNone(t *testing.T) {
	t.Parallel()
	none := func(name string, ctx context.Context) {
		if s, ok := sessions.FromContext(ctx); ok || s != nil {
			t.Errorf("%s: FromContext returned %v, %t", name, s, ok)
		}
	}
	app := newApp(nil)
	app.Get("/", func(c fiber.Ctx) error {
		none("c", c)
		none("Context", c.Context())
		none("RequestCtx", c.RequestCtx())
		return nil
	})
	get(t, serve(t, app), "")
	none("no context", nil)
	none("background", t.Context())
	released := fiber.NewDefaultCtx(app)
	none("released c", released)
	none("its Context", released.Context())
	none("its RequestCtx", released.RequestCtx())
}

// TestFromContextAfterTheRequest passes the context of a request to a goroutine that outlives it, while other requests are
// served on the same connection.
func TestFromContextAfterTheRequest(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 1)
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/", func(c fiber.Ctx) error {
		contexts <- c.Context()
		return c.SendString(strconv.Itoa(increment(c)))
	})
	h := app.Handler()
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/")
	h(&ctx)
	first := <-contexts
	for range 3 {
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.Request.SetRequestURI("/")
		h(&ctx)
		<-contexts
	}
	s, ok := sessions.FromContext(first)
	if !ok || visits.Get(s) != 1 {
		t.Fatalf("FromContext returned %v, %t", s, ok)
	}
	visits.Update(s, func(n int) int { return n + 1 })
	if err := s.Save(first); err != nil {
		t.Error(err)
	}
}

// TestFromContextOfTheInnermost has two managers, one within the other.
func TestFromContextOfTheInnermost(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	app := newApp(nil)
	app.Use(sessions.Middleware(outer))
	app.Use(func(c fiber.Ctx) error {
		c.SetContext(context.WithValue(c.Context(), serviceKey{}, "value"))
		return c.Next()
	})
	app.Use(sessions.Middleware(inner))
	app.Get("/", func(c fiber.Ctx) error {
		for _, ctx := range []context.Context{c, c.Context(), c.RequestCtx()} {
			if s, ok := sessions.FromContext(ctx); !ok || s != sessions.GetFrom(c, inner) {
				t.Errorf("FromContext returned %v, %t, want the inner session", s, ok)
			}
		}
		if c.Context().Value(serviceKey{}) != "value" {
			t.Error("the context has lost the value of the application")
		}
		return nil
	})
	get(t, serve(t, app), "")
}

// TestFromContextOfALazySession loads the session, and reports one that cannot be loaded as none.
func TestFromContextOfALazySession(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	down := sessions.New(quiet(sessions.Options{Lazy: true, Store: outage{memstore.New(memstore.Options{})}}))
	app.Get("/down", down, func(c fiber.Ctx) error {
		_, ok := sessions.FromContext(c.Context())
		return c.SendString(strconv.FormatBool(ok))
	})
	app.Use(sessions.New(quiet(sessions.Options{Lazy: true})))
	app.Get("/count", count)
	app.Get("/up", func(c fiber.Ctx) error {
		s, ok := sessions.FromContext(c.Context())
		return c.SendString(strconv.FormatBool(ok) + strconv.Itoa(visits.Get(s)))
	})
	url := serve(t, app)
	res, _ := get(t, url+"/count", "")
	if _, body := get(t, url+"/up", cookieOf(res)); body != "true1" {
		t.Errorf("a session that can be loaded: %s", body)
	}
	if res, body := get(t, url+"/down", cookieOf(res)); body != "false" || res.StatusCode != http.StatusOK {
		t.Errorf("a session that cannot be loaded: %d %s", res.StatusCode, body)
	}
}

// TestFromContextInTheErrorHandler answers errors of requests that the middleware has seen, and of others.
func TestFromContextInTheErrorHandler(t *testing.T) {
	t.Parallel()
	app := fiber.New(fiber.Config{
		SkipUnmatchedRoutes: true,
		ErrorHandler: func(c fiber.Ctx, _ error) error {
			found := make([]string, 0, 3)
			for _, ctx := range []context.Context{c, c.Context(), c.RequestCtx()} {
				s, ok := sessions.FromContext(ctx)
				if ok {
					ok = visits.Get(s) == 1
				}
				found = append(found, strconv.FormatBool(ok))
			}
			return c.Status(http.StatusTeapot).SendString(strings.Join(found, " "))
		},
	})
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/fail", func(fiber.Ctx) error { return fiber.ErrTeapot })
	url := serve(t, app)
	res, _ := get(t, url+"/count", "")
	cookie := cookieOf(res)
	if _, body := get(t, url+"/fail", cookie); body != "true true true" {
		t.Errorf("behind the middleware: %s", body)
	}
	if _, body := get(t, url+"/nowhere", cookie); body != "false false false" {
		t.Errorf("for a request that no middleware has seen: %s", body)
	}
}

// customCtx is a context as applications have that extend Fiber's.
type customCtx struct{ *fiber.DefaultCtx }

// SendString makes sure that handlers get this context.
func (c *customCtx) SendString(s string) error {
	c.Set("X-Custom", "yes")
	return c.DefaultCtx.SendString(s)
}

func newCustomCtx(app *fiber.App) fiber.CustomCtx {
	return &customCtx{fiber.NewDefaultCtx(app)}
}

// TestCustomContext keeps the rules of every adapter in an application with a context of its own.
func TestCustomContext(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, adaptertest.Server{Start: func(t *testing.T, a adaptertest.App) string {
		t.Helper()
		return startWith(t, fiber.NewWithCustomCtx(newCustomCtx, fiber.Config{ErrorHandler: sessions.ErrorHandler(failing(a.Failed))}), a)
	}})
}

// TestCustomContextReachesHandlers shows that the session is found in the application's own context.
func TestCustomContextReachesHandlers(t *testing.T) {
	t.Parallel()
	app := fiber.NewWithCustomCtx(newCustomCtx)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/", func(c fiber.Ctx) error {
		s, ok := sessions.FromContext(c)
		if !ok || s != sessions.Get(c) {
			t.Errorf("FromContext returned %v, %t", s, ok)
		}
		return count(c)
	})
	url := serve(t, app)
	res, _ := get(t, url, "")
	if res, body := get(t, url, cookieOf(res)); body != "2" || res.Header.Get("X-Custom") != "yes" {
		t.Errorf("the answer is %q, X-Custom %q", body, res.Header.Get("X-Custom"))
	}
}
