// Signs users in and out, and counts their visits, with Echo v4 and Redis.
package main

import (
	"fmt"
	"log"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/echo"
)

const visits = sessions.Key[int]("visits")

func main() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	e := echo.New()
	e.Use(middleware.Recover(), sessions.New(sessions.Options{Store: store}))
	e.GET("/", func(c echo.Context) error {
		s := sessions.Get(c)
		n := visits.Update(s, func(n int) int { return n + 1 })
		return c.String(200, fmt.Sprintf("user %q, visit %d\n", s.Subject(), n))
	})
	e.POST("/login", func(c echo.Context) error {
		user := c.FormValue("user")
		if !passwordOK(user, c.FormValue("password")) {
			return echo.ErrUnauthorized
		}
		if err := sessions.Get(c).Login(user); err != nil {
			return err
		}
		return c.Redirect(303, "/")
	})
	e.POST("/logout", func(c echo.Context) error {
		sessions.Get(c).Destroy()
		return c.Redirect(303, "/")
	})
	log.Fatal(e.Start("localhost:8080"))
}

// passwordOK stands for the check of your own.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }
