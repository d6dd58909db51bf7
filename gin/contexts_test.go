package sessions_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/gin"
)

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

// TestEventsOutliveTheRequest hands contexts of Gin to the manager, and looks for values in the contexts of the events when Gin
// has given its own to another request.
func TestEventsOutliveTheRequest(t *testing.T) {
	t.Parallel()
	type ownKey struct{}
	type derivedKey struct{}
	events := make(chan sessions.Event, 10)
	o := quiet(sessions.Options{StoreEvents: true, OnEvent: func(e sessions.Event) { events <- e }})
	own, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = own.Close(context.WithoutCancel(t.Context())) }()
	ofCore, err := core.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ofCore.Close(context.WithoutCancel(t.Context())) }()
	sessions.Middleware(ofCore)
	contexts := map[string]func(c *gin.Context) context.Context{
		"request": func(c *gin.Context) context.Context { return c.Request.Context() },
		"c":       func(c *gin.Context) context.Context { return c },
		"copy":    func(c *gin.Context) context.Context { return c.Copy() },
		"derived": func(c *gin.Context) context.Context { return context.WithValue(c, derivedKey{}, 1) },
		"within":  func(c *gin.Context) context.Context { return c.Request.WithContext(c).Context() },
	}
	for _, m := range []*sessions.Manager{own, ofCore} {
		for name, of := range contexts {
			for _, fallback := range []bool{false, true} {
				e := newEngine()
				e.ContextWithFallback = fallback
				c := gin.CreateTestContextOnly(nil, e)
				r, err := http.NewRequestWithContext(context.WithValue(t.Context(), ownKey{}, "own"), http.MethodGet, "/", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				c.Request = r
				if _, err := m.List(of(c), "nobody"); err != nil {
					t.Fatal(err)
				}
				kept := next(t, events)
				*c = gin.Context{} // as good as another request
				if kept == nil || kept.Value(ownKey{}) != "own" {
					t.Errorf("from %s the event has %v", name, kept)
				}
			}
		}
	}
	if _, err := own.List(new(gin.Context), "nobody"); err != nil {
		t.Fatal(err)
	}
	if ctx := next(t, events); ctx != nil {
		t.Errorf("from a context without a request the event has %v", ctx)
	}
	c := new(gin.Context)
	c.Request = new(http.Request).WithContext(c)
	if _, err := own.List(c, "nobody"); err != nil {
		t.Fatal(err)
	}
	if ctx := next(t, events); ctx != nil {
		t.Errorf("from a context within itself the event has %v", ctx)
	}
}
