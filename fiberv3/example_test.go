package sessions_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gofiber/fiber/v3"
	fiberrecover "github.com/gofiber/fiber/v3/middleware/recover"

	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// A counter of visits: the whole program.
func Example() {
	const visits = sessions.Key[int]("visits")

	app := fiber.New()
	app.Use(fiberrecover.New(), sessions.New(sessions.Options{}))
	app.Get("/", func(c fiber.Ctx) error {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		return c.SendString(fmt.Sprintf("visit %d", n))
	})

	var cookies []*http.Cookie
	for range 2 {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		response, err := app.Test(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		cookies = append(cookies, response.Cookies()...)
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		fmt.Println(string(body))
	}
	// Output:
	// visit 1
	// visit 2
}
