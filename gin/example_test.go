package sessions_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

// A counter of visits: the whole program.
func Example() {
	const visits = sessions.Key[int]("visits")

	r := gin.New()
	r.Use(gin.Recovery(), sessions.New(sessions.Options{}))
	r.GET("/", func(c *gin.Context) {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		c.String(200, "visit %d", n)
	})

	var cookies []*http.Cookie
	for range 2 {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		response := httptest.NewRecorder()
		r.ServeHTTP(response, request)
		cookies = append(cookies, response.Result().Cookies()...)
		fmt.Println(response.Body)
	}
	// Output:
	// visit 1
	// visit 2
}
