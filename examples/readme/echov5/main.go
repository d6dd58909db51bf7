// Counts the visits of each visitor, with Echo v5.
package main

import (
	"fmt"
	"log"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	sessions "github.com/cloakroom-go/sessions/echov5"
)

const visits = sessions.Key[int]("visits")

func main() {
	e := echo.New()
	e.Use(middleware.Recover(), sessions.New(sessions.Options{}))
	e.GET("/", func(c *echo.Context) error {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		return c.String(200, fmt.Sprintf("visit %d\n", n))
	})
	if err := e.Start("localhost:8080"); err != nil {
		log.Fatal(err)
	}
}
