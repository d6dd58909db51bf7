// Command fiberv3 runs the demo on Fiber v3.
package main

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

func main() { demo.Main("Fiber v3", mount) }

func mount(app *demo.App) demo.Server {
	f := fiber.New(fiber.Config{BodyLimit: 64 << 10, IdleTimeout: 2 * time.Minute})
	f.Use(recover.New(), sessions.Middleware(app.Sessions()))
	for _, route := range app.Routes() {
		f.Add([]string{route.Method}, route.Path, handle(route.Handler))
	}
	f.Use(handle(app.NotFound))
	return server{f}
}

// server implements demo.Server with a Fiber app.
type server struct{ app *fiber.App }

// Serve serves until Shutdown is called.
func (s server) Serve(l net.Listener) error {
	return s.app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}

// Shutdown waits for the current requests to end.
func (s server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

func handle(h demo.Handler) fiber.Handler {
	return func(c fiber.Ctx) error {
		r, ctx := c.Request(), c.Context()
		res := h(sessions.Get(c), demo.Request{
			Context: ctx, Method: c.Method(), Path: c.Path(),
			Host: string(r.Host()), Remote: c.RequestCtx().RemoteAddr().String(),
			Header: func(name string) string { return c.Get(name) },
			Query:  func(name string) string { return c.Query(name) },
			Field:  func(name string) string { return string(r.PostArgs().Peek(name)) },
		})
		for name, value := range res.Header {
			c.Set(name, value)
		}
		c.Status(res.Status)
		if res.Stream == nil {
			return c.Send(res.Body)
		}
		return c.SendStreamWriter(func(w *bufio.Writer) { // It must not use c, which Fiber reuses.
			res.Stream(ctx, func(piece string) error {
				_, _ = w.WriteString(piece)
				return w.Flush() // also returns the error of WriteString
			})
		})
	}
}
