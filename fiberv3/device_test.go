package sessions_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v3"

	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// TestDevice signs in from behind a proxy: what the record says of the address is for the app's trusted proxies to decide.
// Fiber's strings are its own again when the next request comes, so what was recorded must have been copied.
func TestDevice(t *testing.T) {
	t.Parallel()
	for address, trusted := range map[string][]string{"0.0.0.0": {"198.51.100.1"}, "203.0.113.9": {"0.0.0.0"}} {
		m := newManager(t, "session")
		app := fiber.New(fiber.Config{
			TrustProxy:       true,
			TrustProxyConfig: fiber.TrustProxyConfig{Proxies: trusted},
			ProxyHeader:      fiber.HeaderXForwardedFor,
		})
		app.Use(sessions.Middleware(m))
		app.Post("/login", func(c fiber.Ctx) error { return sessions.Get(c).Login(c.Get("User")) })
		for _, user := range []string{"ann", "bob"} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/login", http.NoBody) // from 0.0.0.0, to Fiber
			req.Header.Set("User", user)
			req.Header.Set("X-Forwarded-For", "203.0.113.9")
			req.Header.Set("User-Agent", "browser of "+user)
			res, err := app.Test(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
		list, err := m.List(t.Context(), "ann")
		if err != nil || len(list) != 1 || list[0].IP != address || list[0].UserAgent != "browser of ann" {
			t.Errorf("trusting %v: %+v, %v, want the address %s", trusted, list, err, address)
		}
	}
}
