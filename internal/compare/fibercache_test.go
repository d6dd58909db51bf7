package compare

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cache"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

// TestFiberCache has the cache of Fiber v2, told as docs/adapters.md says, show nobody the page of another.
func TestFiberCache(t *testing.T) {
	t.Parallel()
	const visits = sessions.Key[int]("visits")
	app := fiber.New()
	app.Use(cache.New(cache.Config{Next: func(c *fiber.Ctx) bool {
		control := c.GetRespHeader(fiber.HeaderCacheControl)
		return strings.Contains(control, "no-store") || strings.Contains(control, "private")
	}}), sessions.New(sessions.Options{}))
	app.Get("/count", func(c *fiber.Ctx) error {
		visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		return c.SendString("counted")
	})
	app.Get("/read", func(c *fiber.Ctx) error { return c.SendString(strconv.Itoa(visits.Get(sessions.Get(c)))) })
	app.Get("/plain", func(c *fiber.Ctx) error { return c.SendString(time.Now().String()) })
	get := func(path, cookie string) (body, set string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Cookie", cookie)
		res, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		set, _, _ = strings.Cut(res.Header.Get("Set-Cookie"), ";")
		return string(text), set
	}
	_, once := get("/count", "")
	_, twice := get("/count", "")
	get("/count", twice)
	for range 2 {
		for cookie, want := range map[string]string{once: "1", twice: "2", "": "0"} {
			if body, _ := get("/read", cookie); body != want {
				t.Errorf("the answer is %q, want %q", body, want)
			}
		}
	}
	first, _ := get("/plain", once)
	if again, _ := get("/plain", twice); again != first {
		t.Error("a page that does not depend on the session was not cached")
	}
}
