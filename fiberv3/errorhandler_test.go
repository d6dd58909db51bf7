package sessions_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// TestErrorHandlerIsWrapped has the middleware look, once, whether the application's error handler is wrapped.
func TestErrorHandlerIsWrapped(t *testing.T) {
	t.Parallel()
	own := func(c fiber.Ctx, _ error) error { return c.SendStatus(500) }
	for name, tc := range map[string]struct {
		handler fiber.ErrorHandler
		warned  int
	}{
		"own": {own, 1}, "wrapped": {sessions.ErrorHandler(own), 0}, "default": {nil, 0},
	} {
		var log bytes.Buffer
		app := fiber.New(fiber.Config{ErrorHandler: tc.handler})
		app.Use(sessions.New(sessions.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
		app.Get("/", func(fiber.Ctx) error { return fiber.ErrNotFound })
		for range 2 {
			res, err := app.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
		if n := strings.Count(log.String(), "sessions.ErrorHandler"); n != tc.warned {
			t.Errorf("%s: %d warnings, want %d: %s", name, n, tc.warned, &log)
		}
	}
}

// TestErrorsOfTheLibrary has a handler return the error of SignIn as it gets it: the answer has the status of the error and
// nothing of its text. An answer that the handler has chosen itself stays.
func TestErrorsOfTheLibrary(t *testing.T) {
	t.Parallel()
	store := sessiontest.NewStore(nil)
	store.Fail(sessiontest.Fault{Err: errors.New("host of the store")})
	m, err := sessions.NewManager(quiet(sessions.Options{Store: store, PurgeInterval: -1}))
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New()
	app.Use(sessions.Middleware(m))
	app.Get("/plain", func(c fiber.Ctx) error { return sessions.Get(c).SignIn(c.Context(), "ann", sessions.SignIn{}) })
	app.Get("/own", func(c fiber.Ctx) error {
		err := sessions.Get(c).SignIn(c.Context(), "ann", sessions.SignIn{})
		return errors.Join(fiber.ErrTeapot, err)
	})
	url := serve(t, app)
	for path, status := range map[string]int{"/plain": http.StatusServiceUnavailable, "/own": http.StatusTeapot} {
		res, body := get(t, url+path, "")
		if res.StatusCode != status || path == "/plain" && strings.Contains(body, "host") {
			t.Errorf("%s: the answer is %d %q, want the status %d", path, res.StatusCode, body, status)
		}
	}
}
