// Command fiber runs the demo on Fiber.
package main

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

func main() { demo.Main("Fiber", mount) }

func mount(app *demo.App) demo.Server {
	f := fiber.New(fiber.Config{
		DisableStartupMessage: true, BodyLimit: 64 << 10, IdleTimeout: 2 * time.Minute,
	})
	f.Use(recover.New(), sessions.Middleware(app.Sessions()))
	for _, route := range app.Routes() {
		f.Add(route.Method, route.Path, handle(route.Handler))
	}
	f.Use(handle(app.NotFound))
	return server{f}
}

// server implements demo.Server with a Fiber app.
type server struct{ app *fiber.App }

// Serve serves until Shutdown is called.
func (s server) Serve(l net.Listener) error { return s.app.Listener(l) }

// Shutdown waits for the current requests to end.
func (s server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

func handle(h demo.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		r := c.Request()
		res := h(sessions.Get(c), demo.Request{
			Context: c.UserContext(), Method: c.Method(), Path: c.Path(),
			Host: string(r.Host()), Remote: c.Context().RemoteAddr().String(),
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
		ctx := c.UserContext() // the stream must not use c, which Fiber reuses by then
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			res.Stream(ctx, func(piece string) error {
				_, _ = w.WriteString(piece)
				return w.Flush() // also returns the error of WriteString
			})
		})
		return nil
	}
}
