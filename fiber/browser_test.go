package sessions_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

// browse sends a request with these fields and reads its answer.
func browse(t *testing.T, method, url string, fields map[string]string) (head *answer, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header}, string(text)
}

// TestSetBesideTheHandler starts a session on another goroutine, while the handler reads and changes the request's header.
func TestSetBesideTheHandler(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.Middleware(newManager(t, "session")))
	app.Get("/", func(c *fiber.Ctx) error {
		s, done := sessions.Get(c), make(chan error)
		go func() { done <- visits.Set(s, 1) }()
		for range 100 {
			c.Request().Header.Set("X-Of-The-Handler", c.Get("Sec-Fetch-Site")+"x")
		}
		return errors.Join(<-done, s.Save(c.UserContext()))
	})
	res, _ := browse(t, http.MethodGet, serve(t, app), map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"})
	if res.StatusCode != http.StatusOK || cookieOf(res) == "" {
		t.Errorf("the answer is %d with Set-Cookie %q", res.StatusCode, res.Header["Set-Cookie"])
	}
}
