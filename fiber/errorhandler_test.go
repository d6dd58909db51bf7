package sessions_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

// TestErrorHandlerIsWrapped has the middleware look, once, whether the application's error handler is wrapped.
func TestErrorHandlerIsWrapped(t *testing.T) {
	t.Parallel()
	own := func(c *fiber.Ctx, _ error) error { return c.SendStatus(500) }
	for name, tc := range map[string]struct {
		handler fiber.ErrorHandler
		warned  int
	}{
		"own": {own, 1}, "wrapped": {sessions.ErrorHandler(own), 0}, "default": {nil, 0},
	} {
		var log bytes.Buffer
		app := fiber.New(fiber.Config{ErrorHandler: tc.handler})
		app.Use(sessions.New(sessions.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
		app.Get("/", func(*fiber.Ctx) error { return fiber.ErrNotFound })
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
