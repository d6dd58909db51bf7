package sessions_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// listed returns a manager whose every call of the store is an event, and the events. Its store makes calls wait.
func listed(t *testing.T) (m *sessions.Manager, events chan sessions.Event) {
	t.Helper()
	events = make(chan sessions.Event, 100)
	o := quiet(sessions.Options{StoreEvents: true, OnEvent: func(e sessions.Event) { events <- e }})
	m, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.WithoutCancel(t.Context())) })
	return m, events
}

// next returns the context of the next event.
func next(t *testing.T, events <-chan sessions.Event) context.Context {
	t.Helper()
	select {
	case e := <-events:
		return e.Context
	case <-time.After(10 * time.Second):
		t.Fatal("there was no event")
		return nil
	}
}

// TestEventsOutliveTheRequest hands Fiber's contexts to the manager, and looks for values in the contexts of the events when
// fasthttp has given its own to another request.
func TestEventsOutliveTheRequest(t *testing.T) {
	t.Parallel()
	type derivedKey struct{}
	admin, events := listed(t)
	ofRequests, requestEvents := listed(t)
	contexts := map[string]func(c *fiber.Ctx) context.Context{
		"UserContext":         func(c *fiber.Ctx) context.Context { return c.UserContext() },
		"Context":             func(c *fiber.Ctx) context.Context { return c.Context() },
		"UserContext derived": func(c *fiber.Ctx) context.Context { return context.WithValue(c.UserContext(), derivedKey{}, 1) },
		"Context derived":     func(c *fiber.Ctx) context.Context { return context.WithValue(c.Context(), derivedKey{}, 1) },
	}
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.UserContext(), serviceKey{}, strings.Clone(c.Query("value"))))
		return c.Next()
	})
	list := func(c *fiber.Ctx) error {
		_, err := admin.List(contexts[c.Query("context")](c), "nobody")
		return err
	}
	app.Get("/bare", list)
	app.Get("/sessions", sessions.Middleware(ofRequests), func(c *fiber.Ctx) error {
		increment(c)
		return list(c)
	})
	h := app.Handler()
	var ctx fasthttp.RequestCtx
	serve := func(path string) {
		ctx.ResetUserValues() // as the server does between requests
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.Request.SetRequestURI(path)
		h(&ctx)
		if ctx.Response.StatusCode() != fiber.StatusOK {
			t.Fatalf("%s: %s", path, ctx.Response.String())
		}
	}
	for _, path := range []string{"/bare", "/sessions"} {
		for name := range contexts {
			serve(path + "?value=own&context=" + strings.ReplaceAll(name, " ", "%20"))
			kept := []context.Context{next(t, events)}
			if path == "/sessions" {
				kept = append(kept, next(t, requestEvents), next(t, requestEvents))
			}
			serve("/bare?value=other&context=UserContext")
			next(t, events)
			for _, kept := range kept {
				if kept == nil || kept.Value(serviceKey{}) != "own" {
					t.Errorf("%s: from %s the event has %v", path, name, kept)
				}
			}
		}
	}
}

// TestEventsOfAContextOfFasthttp has an application that derives its user context from fasthttp's, so that nothing is left when
// that is reused.
func TestEventsOfAContextOfFasthttp(t *testing.T) {
	t.Parallel()
	m, events := listed(t)
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		c.SetUserContext(context.WithValue(c.Context(), serviceKey{}, "value"))
		return c.Next()
	}, sessions.Middleware(m))
	app.Get("/", func(c *fiber.Ctx) error {
		increment(c)
		_, err := m.List(c.UserContext(), "nobody")
		return err
	})
	get(t, serve(t, app), "")
	for range 3 {
		if ctx := next(t, events); ctx != nil {
			t.Errorf("the event has %v, want none", ctx)
		}
	}
	_, _ = m.List((*fasthttp.RequestCtx)(nil), "nobody")
	if ctx := next(t, events); ctx != nil {
		t.Errorf("without a context the event has %v", ctx)
	}
}

// TestEventsOfManagersOfCore makes a manager without the adapter's own function.
func TestEventsOfManagersOfCore(t *testing.T) {
	t.Parallel()
	events := make(chan sessions.Event, 10)
	m, err := core.NewManager(quiet(sessions.Options{StoreEvents: true, OnEvent: func(e sessions.Event) { events <- e }}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close(context.WithoutCancel(t.Context())) }()
	sessions.Middleware(m)
	_, _ = m.List(new(fasthttp.RequestCtx), "nobody")
	if ctx := next(t, events); ctx != nil {
		t.Errorf("the event has %v, want none", ctx)
	}
}
