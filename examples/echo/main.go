// Command echo runs the demo on Echo.
package main

import (
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	sessions "github.com/cloakroom-go/sessions/echo"
	"github.com/cloakroom-go/sessions/examples/demo"
)

func main() { demo.Main("Echo", mount) }

func mount(app *demo.App) demo.Server {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // no proxy is trusted to report client addresses
	e.Use(middleware.Recover(), sessions.Middleware(app.Sessions()))
	for _, route := range app.Routes() {
		e.Add(route.Method, route.Path, handle(route.Handler))
	}
	e.RouteNotFound("/*", handle(app.NotFound))
	return demo.NewServer(e)
}

func handle(h demo.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		res := h(sessions.Get(c), demo.Request{
			Context: r.Context(), Method: r.Method, Path: r.URL.Path,
			Host: r.Host, Remote: r.RemoteAddr,
			Header: r.Header.Get, Query: c.QueryParam, Field: r.PostFormValue,
		})
		for name, value := range res.Header {
			c.Response().Header().Set(name, value)
		}
		if res.Stream == nil {
			return c.Blob(res.Status, res.Header["Content-Type"], res.Body)
		}
		c.Response().WriteHeader(res.Status)
		res.Stream(r.Context(), func(piece string) error {
			_, err := c.Response().Write([]byte(piece))
			c.Response().Flush()
			return err
		})
		return nil
	}
}
