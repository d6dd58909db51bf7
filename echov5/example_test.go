package sessions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	sessions "github.com/cloakroom-go/sessions/echov5"
)

// A counter of visits: the whole program.
func Example() {
	const visits = sessions.Key[int]("visits")

	e := echo.New()
	e.Use(middleware.Recover(), sessions.New(sessions.Options{}))
	e.GET("/", func(c *echo.Context) error {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		return c.String(200, fmt.Sprintf("visit %d", n))
	})

	var cookies []*http.Cookie
	for range 2 {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		response := httptest.NewRecorder()
		e.ServeHTTP(response, request)
		cookies = append(cookies, response.Result().Cookies()...)
		fmt.Println(response.Body)
	}
	// Output:
	// visit 1
	// visit 2
}
