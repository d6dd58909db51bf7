package sessions_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// TestFromContext finds the session in the context of a request, and in no other.
func TestFromContext(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	r := newEngine()
	r.GET("/", sessions.Middleware(outer), sessions.Middleware(inner), func(c *gin.Context) {
		ctx, cancel := context.WithCancel(c.Request.Context())
		defer cancel()
		if s, ok := sessions.FromContext(ctx); !ok || s != sessions.GetFrom(c, inner) {
			t.Errorf("FromContext returns %v, %t, want the inner session", s, ok)
		}
		c.Status(http.StatusNoContent)
	})
	r.GET("/without", func(c *gin.Context) {
		if s, ok := sessions.FromContext(c.Request.Context()); ok || s != nil {
			t.Errorf("FromContext returns %v, %t without a session", s, ok)
		}
		c.Status(http.StatusNoContent)
	})
	url := serve(t, r)
	for _, path := range []string{"/", "/without"} {
		if res, _ := get(t, url+path, ""); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
}

// TestFromContextOfGin passes Gin's own context, which leads to the request's if the engine says so.
func TestFromContextOfGin(t *testing.T) {
	t.Parallel()
	for _, fallback := range []bool{true, false} {
		r := newEngine()
		r.ContextWithFallback = fallback
		r.GET("/", sessions.New(quiet(sessions.Options{})), func(c *gin.Context) {
			if _, ok := sessions.FromContext(c); ok != fallback {
				t.Errorf("ContextWithFallback %t: FromContext returns %t", fallback, ok)
			}
		})
		get(t, serve(t, r), "")
	}
}

// TestFromContextOutage finds no session if it could not be loaded, in the handler or in middleware outside.
func TestFromContextOutage(t *testing.T) {
	t.Parallel()
	for _, lazy := range []bool{true, false} {
		asked := 0
		ask := func(c *gin.Context) {
			asked++
			if s, ok := sessions.FromContext(c.Request.Context()); ok || s != nil {
				t.Errorf("lazy: %t: FromContext returns %v, %t", lazy, s, ok)
			}
		}
		r := newEngine()
		r.Use(func(c *gin.Context) {
			c.Next()
			ask(c)
		})
		r.Use(sessions.New(quiet(sessions.Options{Lazy: lazy, Store: outage{memstore.New(memstore.Options{})}})))
		r.GET("/", func(c *gin.Context) {
			ask(c)
			visits.Get(sessions.Get(c)) // The commit fails as the load did.
		})
		res, _ := get(t, serve(t, r), known())
		if res.StatusCode != http.StatusServiceUnavailable || asked == 0 {
			t.Errorf("lazy: %t: status %d, asked %d times", lazy, res.StatusCode, asked)
		}
	}
}
