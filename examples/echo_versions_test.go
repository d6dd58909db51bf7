package examples_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessionsv4 "github.com/cloakroom-go/sessions/echo"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

const (
	lines    = core.Key[int]("lines")
	greeting = core.Key[greetingV1]("greeting")
)

type greetingV1 struct{ Name string }

// useSession answers a request for either version of Echo: it tells what the session holds, and then changes it.
func useSession(s *core.Session, path string) (body string) {
	body = s.Subject() + " " + greeting.Get(s).Name
	switch path {
	case "/login":
		if err := s.Login("ada"); err != nil {
			return err.Error()
		}
	case "/greet":
		greeting.Update(s, func(greetingV1) greetingV1 { return greetingV1{"Ada"} })
	case "/count":
		lines.Update(s, func(n int) int { return n + 1 })
	case "/renew":
		if err := s.Renew(); err != nil {
			return err.Error()
		}
	case "/logout":
		s.Destroy()
	}
	return body
}

func newEchoV4(m *core.Manager) http.Handler {
	e := echov4.New()
	e.Use(sessionsv4.Middleware(m))
	e.GET("/*", func(c echov4.Context) error {
		return c.String(http.StatusOK, useSession(sessionsv4.Get(c), c.Request().URL.Path))
	})
	return e
}

func newEchoV5(m *core.Manager) http.Handler {
	e := echo.New()
	e.Use(sessions.Middleware(m))
	e.GET("/*", func(c *echo.Context) error {
		return c.String(http.StatusOK, useSession(sessions.Get(c), c.Request().URL.Path))
	})
	return e
}

// TestEchoVersionsShareSessions serves each request by another version of Echo than the one before, with the same store and
// the same cookie, as while an application moves from one to the other. It does so in both directions.
func TestEchoVersionsShareSessions(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][2]func(*core.Manager) http.Handler{
		"first v4": {newEchoV4, newEchoV5}, "first v5": {newEchoV5, newEchoV4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := memstore.New(memstore.Options{})
			first, second := newManagerOn(t, store), newManagerOn(t, store)
			turn, handlers := 0, [2]http.Handler{order[0](first), order[1](second)}
			// The browser has one jar: what one version sets, it sends to the other.
			browser := sessiontest.Browser(func(r *http.Request) (*http.Response, error) {
				turn++
				return sessiontest.Handler(handlers[(turn-1)%2])(r)
			})
			for _, visit := range []struct{ path, body string }{
				{"/greet", " "}, // one version starts the session
				{"/login", " Ada"},
				{"/count", "ada Ada"},
				{"/renew", "ada Ada"},
				{"/count", "ada Ada"},
				{"/count", "ada Ada"},
			} {
				if body := ask(t, browser, visit.path); body != visit.body {
					t.Errorf("%s: %q, want %q", visit.path, body, visit.body)
				}
			}
			list, err := second.List(t.Context(), "ada")
			if err != nil || len(list) != 1 {
				t.Errorf("List: %v, %v, want one session", list, err)
			}
			if got := ask(t, browser, "/logout"); got != "ada Ada" {
				t.Errorf("before the logout: %q", got)
			}
			if got := ask(t, browser, "/"); got != " " {
				t.Errorf("after the logout: %q", got)
			}
			if list, err := first.List(t.Context(), "ada"); err != nil || len(list) != 0 {
				t.Errorf("List after the logout: %v, %v", list, err)
			}
		})
	}
}

// TestEchoVersionsMerge has both versions change one session at the same time: neither loses what the other has saved.
func TestEchoVersionsMerge(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	m := newManagerOn(t, store)
	cookie := sessiontest.Cookie(t, m, func(s *core.Session) error { return greeting.Set(s, greetingV1{"Ada"}) })
	const each = 20
	done := make(chan struct{})
	for _, handler := range []http.Handler{newEchoV4(newManagerOn(t, store)), newEchoV5(newManagerOn(t, store))} {
		go func() {
			defer func() { done <- struct{}{} }()
			browser := sessiontest.Browser(sessiontest.Handler(handler), cookie)
			for range each {
				if body := ask(t, browser, "/count"); body != " Ada" {
					t.Errorf("the body is %q", body)
				}
			}
		}()
	}
	<-done
	<-done
	if n := lines.Get(sessiontest.Read(t, m, cookie)); n != 2*each {
		t.Errorf("%d changes are there, want %d", n, 2*each)
	}
}

func newManagerOn(t *testing.T, store core.Store) *core.Manager {
	t.Helper()
	m, err := core.NewManager(core.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// ask returns the body of a page. It may run in any goroutine.
func ask(t *testing.T, browser *http.Client, path string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, sessiontest.Origin+path, http.NoBody)
	if err != nil {
		t.Error(err)
		return ""
	}
	res, err := browser.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %v", path, res.StatusCode, err)
	}
	return string(text)
}
