// Counts the visits of each visitor, with Fiber v3.
package main

import (
	"fmt"
	"log"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

const visits = sessions.Key[int]("visits")

func main() {
	app := fiber.New()
	app.Use(recover.New(), sessions.New(sessions.Options{}))
	app.Get("/", func(c fiber.Ctx) error {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		return c.SendString(fmt.Sprintf("visit %d\n", n))
	})
	log.Fatal(app.Listen("localhost:8080"))
}
