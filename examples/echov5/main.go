// Command echov5 runs the demo on Echo v5.
package main

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	sessions "github.com/cloakroom-go/sessions/echov5"
	"github.com/cloakroom-go/sessions/examples/demo"
)

func main() { demo.Main("Echo v5", mount) }

func mount(app *demo.App) demo.Server {
	e := echo.New()
	e.Use(middleware.Recover(), sessions.Middleware(app.Sessions()))
	for _, route := range app.Routes() {
		e.Add(route.Method, route.Path, handle(route.Handler))
	}
	e.RouteNotFound("/*", handle(app.NotFound))
	return demo.NewServer(e)
}

func handle(h demo.Handler) echo.HandlerFunc {
	return func(c *echo.Context) error {
		r := c.Request()
		res := h(sessions.Get(c), demo.Request{
			Context: r.Context(),
			Method:  r.Method, Path: r.URL.Path, Host: r.Host, Remote: r.RemoteAddr,
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
			if _, err := c.Response().Write([]byte(piece)); err != nil {
				return err
			}
			return http.NewResponseController(c.Response()).Flush()
		})
		return nil
	}
}
