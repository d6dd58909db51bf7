// Command gin runs the demo on Gin.
package main

import (
	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() { demo.Main("Gin", mount) }

func mount(app *demo.App) demo.Server {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // no proxy is trusted to report client addresses
	r.Use(gin.Recovery(), sessions.Middleware(app.Sessions()))
	for _, route := range app.Routes() {
		r.Handle(route.Method, route.Path, handle(route.Handler))
	}
	r.NoRoute(handle(app.NotFound))
	return demo.NewServer(r)
}

func handle(h demo.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := c.Request
		res := h(sessions.Get(c), demo.Request{
			Context: r.Context(), Method: r.Method, Path: r.URL.Path,
			Host: r.Host, Remote: r.RemoteAddr,
			Header: c.GetHeader, Query: c.Query, Field: c.PostForm,
		})
		for name, value := range res.Header {
			c.Header(name, value)
		}
		if res.Stream == nil {
			c.Data(res.Status, res.Header["Content-Type"], res.Body)
			return
		}
		c.Status(res.Status)
		res.Stream(r.Context(), func(piece string) error {
			_, err := c.Writer.WriteString(piece)
			c.Writer.Flush()
			return err
		})
	}
}
