package examples_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	fibersessions "github.com/cloakroom-go/sessions/fiber"
	fiberv3sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// move is what the two applications do with a session: they read what it holds, change it, and sign in or out.
func move(s *core.Session, path string) (string, error) {
	const steps = core.Key[[]string]("steps")
	var err error
	switch name := strings.TrimPrefix(path, "/"); name {
	case "login":
		err = s.Login("ada")
	case "renew":
		err = s.Renew()
	case "logout":
		s.Destroy()
	case "read":
	default:
		steps.Update(s, func(all []string) []string { return append(all, name) })
	}
	return fmt.Sprint(s.Subject(), steps.Get(s)), err
}

// fiberVersions returns an application for each version of Fiber, with the same options and one store. Each has a manager
// of its own, as two programs have.
func fiberVersions() map[string]sessiontest.RoundTrip {
	options := core.Options{Store: memstore.New(memstore.Options{}), Logger: slog.New(slog.DiscardHandler)}
	v2 := fiber.New(fiber.Config{DisableStartupMessage: true})
	v2.Use(fibersessions.New(options))
	v2.Get("/*", func(c *fiber.Ctx) error {
		text, err := move(fibersessions.Get(c), c.Path())
		if err != nil {
			return err
		}
		return c.SendString(text)
	})
	v3 := fiberv3.New()
	v3.Use(fiberv3sessions.New(options))
	v3.Get("/*", func(c fiberv3.Ctx) error {
		text, err := move(fiberv3sessions.Get(c), c.Path())
		if err != nil {
			return err
		}
		return c.SendString(text)
	})
	return map[string]sessiontest.RoundTrip{
		"v2": func(r *http.Request) (*http.Response, error) { return v2.Test(r, -1) },
		"v3": func(r *http.Request) (*http.Response, error) { return v3.Test(r, fiberv3.TestConfig{}) },
	}
}

// TestFiberVersionsShareSessions moves a browser between an application on Fiber v2 and one on Fiber v3, which have one
// store: what one of them does to the session the other sees, whichever was first.
func TestFiberVersionsShareSessions(t *testing.T) {
	t.Parallel()
	for first, second := range map[string]string{"v2": "v3", "v3": "v2"} {
		apps := fiberVersions()
		var on string // the version that the browser talks to
		browser := sessiontest.Browser(func(r *http.Request) (*http.Response, error) { return apps[on](r) })
		for _, step := range []struct{ on, path, want string }{
			{first, "/a", "[a]"},
			{second, "/read", "[a]"},
			{second, "/b", "[a b]"},
			{first, "/login", "ada[a b]"},
			{second, "/c", "ada[a b c]"},
			{first, "/renew", "ada[a b c]"},
			{second, "/read", "ada[a b c]"},
			{second, "/renew", "ada[a b c]"},
			{first, "/d", "ada[a b c d]"},
			{second, "/logout", "[]"},
			{first, "/read", "[]"},
			{first, "/e", "[e]"},
			{second, "/read", "[e]"},
		} {
			on = step.on
			if got := visitFiber(t, browser, step.path); got != step.want {
				t.Errorf("%s first, %s on %s: the session holds %s, want %s", first, step.path, step.on, got, step.want)
			}
		}
	}
}

func visitFiber(t *testing.T, browser *http.Client, path string) (body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sessiontest.Origin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", path, res.StatusCode, text, err)
	}
	return string(text)
}
