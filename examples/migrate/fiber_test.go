package migrate_test

import (
	"net"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	fiberv3 "github.com/gofiber/fiber/v3"
	sessionv3 "github.com/gofiber/fiber/v3/middleware/session"

	fromfiber "github.com/cloakroom-go/sessions/examples/migrate/fiber"
	fromfiberv3 "github.com/cloakroom-go/sessions/examples/migrate/fiberv3"
	fibersessions "github.com/cloakroom-go/sessions/fiber"
	fiberv3sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// listen runs a server of Fiber until the test ends.
func listen(t *testing.T, run func(net.Listener) error, stop func(time.Duration) error) (url string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run(l) }()
	t.Cleanup(func() {
		if err := stop(time.Second); err != nil {
			t.Log(err) // A connection that the client keeps.
		}
		if err := <-ended; err != nil {
			t.Log(err)
		}
	})
	return "http://" + l.Addr().String()
}

func fiberV2(t *testing.T, shared bool) *application {
	t.Helper()
	a, store := &application{ends: true}, session.New()
	a.prepare(t, "session_id", shared)
	after := fiber.New(fiber.Config{DisableStartupMessage: true})
	for _, handler := range fromfiber.Sessions(a.manager, a.bridge, store) {
		after.Use(handler)
	}
	after.Get("/me", func(c *fiber.Ctx) error { return c.SendString(me(fibersessions.Get(c))) })
	after.Post("/hat", func(c *fiber.Ctx) error { hat(fibersessions.Get(c)); return nil })
	after.Post("/logout", func(c *fiber.Ctx) error { fibersessions.Get(c).Destroy(); return nil })
	before := fiber.New(fiber.Config{DisableStartupMessage: true})
	before.Post("/login", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		s.Set("user", "ann")
		s.Set("cart", "coat")
		return s.Save()
	})
	before.Post("/logout", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		return s.Destroy()
	})
	before.Get("/me", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			return err
		}
		return c.SendString(shown(s.Get("user"), s.Get("cart")))
	})
	a.urls = [2]string{
		listen(t, before.Listener, before.ShutdownWithTimeout), listen(t, after.Listener, after.ShutdownWithTimeout),
	}
	return a
}

func fiberV3(t *testing.T, shared bool) *application {
	t.Helper()
	a, store := &application{ends: true}, sessionv3.NewStore()
	a.prepare(t, "session_id", shared)
	after := fiberv3.New()
	after.Use(fromfiberv3.Sessions(a.manager, a.bridge, store)...)
	after.Get("/me", func(c fiberv3.Ctx) error { return c.SendString(me(fiberv3sessions.Get(c))) })
	after.Post("/hat", func(c fiberv3.Ctx) error { hat(fiberv3sessions.Get(c)); return nil })
	after.Post("/logout", func(c fiberv3.Ctx) error { fiberv3sessions.Get(c).Destroy(); return nil })
	before := fiberv3.New()
	on := func(act func(c fiberv3.Ctx, s *sessionv3.Session) error) fiberv3.Handler {
		return func(c fiberv3.Ctx) error {
			s, err := store.Get(c)
			if err != nil {
				return err
			}
			defer s.Release()
			return act(c, s)
		}
	}
	before.Post("/login", on(func(_ fiberv3.Ctx, s *sessionv3.Session) error {
		s.Set("user", "ann")
		s.Set("cart", "coat")
		return s.Save()
	}))
	before.Post("/logout", on(func(_ fiberv3.Ctx, s *sessionv3.Session) error { return s.Destroy() }))
	before.Get("/me", on(func(c fiberv3.Ctx, s *sessionv3.Session) error {
		return c.SendString(shown(s.Get("user"), s.Get("cart")))
	}))
	a.urls = [2]string{serveV3(t, before), serveV3(t, after)}
	return a
}

func serveV3(t *testing.T, app *fiberv3.App) string {
	t.Helper()
	return listen(t, func(l net.Listener) error {
		return app.Listener(l, fiberv3.ListenConfig{DisableStartupMessage: true})
	}, app.ShutdownWithTimeout)
}
