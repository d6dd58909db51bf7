package sessions_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/echo"
)

// TestFromContext finds the session in the context of a request, and in no other.
func TestFromContext(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	e := newEngine()
	e.GET("/", func(c echo.Context) error {
		ctx, cancel := context.WithCancel(c.Request().Context())
		defer cancel()
		if s, ok := sessions.FromContext(ctx); !ok || s != sessions.GetFrom(c, inner) {
			t.Errorf("FromContext returns %v, %t, want the inner session", s, ok)
		}
		return c.NoContent(http.StatusNoContent)
	}, sessions.Middleware(outer), sessions.Middleware(inner))
	e.GET("/without", func(c echo.Context) error {
		if s, ok := sessions.FromContext(c.Request().Context()); ok || s != nil {
			t.Errorf("FromContext returns %v, %t without a session", s, ok)
		}
		return c.NoContent(http.StatusNoContent)
	})
	url := serve(t, e)
	for _, path := range []string{"/", "/without"} {
		if res, _ := get(t, url+path, ""); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
}

// TestFromContextOutage finds no session if it could not be loaded, in the handler or in the error handler.
func TestFromContextOutage(t *testing.T) {
	t.Parallel()
	for _, lazy := range []bool{true, false} {
		asked := 0
		ask := func(c echo.Context) {
			asked++
			if s, ok := sessions.FromContext(c.Request().Context()); ok || s != nil {
				t.Errorf("lazy: %t: FromContext returns %v, %t", lazy, s, ok)
			}
		}
		e := newEngine()
		e.HTTPErrorHandler = func(err error, c echo.Context) {
			ask(c)
			e.DefaultHTTPErrorHandler(err, c)
		}
		e.Use(sessions.New(quiet(sessions.Options{Lazy: lazy, Store: outage{memstore.New(memstore.Options{})}})))
		e.GET("/", func(c echo.Context) error {
			ask(c)
			_, err := sessions.Load(c)
			return err
		})
		res, _ := get(t, serve(t, e), known())
		if res.StatusCode != http.StatusServiceUnavailable || asked == 0 {
			t.Errorf("lazy: %t: status %d, asked %d times", lazy, res.StatusCode, asked)
		}
	}
}
