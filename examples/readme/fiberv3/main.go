// Signs users in and out, and counts their visits, with Fiber v3 and Redis.
package main

import (
	"fmt"
	"log"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"
	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

const visits = sessions.Key[int]("visits")

func main() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	app := fiber.New()
	app.Use(recover.New(), sessions.New(sessions.Options{Store: store}))
	app.Get("/", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		n := visits.Update(s, func(n int) int { return n + 1 })
		return c.SendString(fmt.Sprintf("user %q, visit %d\n", s.Subject(), n))
	})
	app.Post("/login", func(c fiber.Ctx) error {
		user := c.FormValue("user")
		if !passwordOK(user, c.FormValue("password")) {
			return fiber.ErrUnauthorized
		}
		if err := sessions.Get(c).Login(user); err != nil {
			return err
		}
		return c.Redirect().Status(303).To("/")
	})
	app.Post("/logout", func(c fiber.Ctx) error {
		sessions.Get(c).Destroy()
		return c.Redirect().Status(303).To("/")
	})
	log.Fatal(app.Listen("localhost:8080"))
}

// passwordOK stands for the check of your own.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }
