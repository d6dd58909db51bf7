package sessions_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

type serviceKey struct{}

// TestFromContext looks for the innermost session in everything that is a context of the request.
func TestFromContext(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	app := newApp(nil)
	app.Use(sessions.Middleware(outer))
	app.Use(func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.UserContext(), serviceKey{}, "value"))
		return c.Next()
	})
	app.Use(sessions.Middleware(inner))
	app.Get("/", func(c *fiber.Ctx) error {
		want := sessions.GetFrom(c, inner)
		for name, ctx := range map[string]context.Context{"UserContext": c.UserContext(), "Context": c.Context()} {
			derived := context.WithValue(ctx, serviceKey{}, 1)
			for _, ctx := range []context.Context{ctx, derived} {
				if s, ok := sessions.FromContext(ctx); !ok || s != want {
					t.Errorf("from %s: %v, %t, want the inner session", name, s, ok)
				}
			}
		}
		if c.UserContext().Value(serviceKey{}) != "value" {
			t.Error("the context has lost the value of the application")
		}
		return nil
	})
	get(t, serve(t, app), "")
}

// TestFromContextFindsNone passes contexts without a session, and one whose session could not be loaded.
func TestFromContextFindsNone(t *testing.T) {
	t.Parallel()
	none := func(name string, ctx context.Context) {
		if s, ok := sessions.FromContext(ctx); ok || s != nil {
			t.Errorf("%s: FromContext returned %v, %t", name, s, ok)
		}
	}
	asked := 0
	ask := func(c *fiber.Ctx) {
		asked++
		none("UserContext", c.UserContext())
		none("Context", c.Context())
	}
	app := newApp(func(c *fiber.Ctx, _ error) error {
		ask(c)
		return nil
	})
	app.Get("/", func(c *fiber.Ctx) error {
		ask(c)
		return nil
	})
	down := sessions.Options{Lazy: true, Store: outage{memstore.New(memstore.Options{})}}
	app.Get("/outage", sessions.New(quiet(down)), func(c *fiber.Ctx) error {
		ask(c)
		_, err := sessions.Load(c)
		return err
	})
	url := serve(t, app)
	get(t, url, "")
	get(t, url+"/outage", known())
	none("background", t.Context())
	if asked != 3 {
		t.Errorf("asked %d times, want 3: two handlers and the error handler", asked)
	}
}

// TestFromContextAfterTheRequest passes the user context of a request that is over, while other requests are served on
// the same connection.
func TestFromContextAfterTheRequest(t *testing.T) {
	t.Parallel()
	contexts := make(chan context.Context, 1)
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/", func(c *fiber.Ctx) error {
		contexts <- c.UserContext()
		return c.SendString(strconv.Itoa(increment(c)))
	})
	h := app.Handler()
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/")
	h(&ctx)
	first := <-contexts
	for range 3 {
		ctx.ResetUserValues() // as the server does between requests
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
