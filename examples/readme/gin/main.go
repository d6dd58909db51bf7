// Counts the visits of each visitor, with Gin.
package main

import (
	"log"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

const visits = sessions.Key[int]("visits")

func main() {
	r := gin.New()
	r.Use(gin.Recovery(), sessions.New(sessions.Options{}))
	r.GET("/", func(c *gin.Context) {
		n := visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
		c.String(200, "visit %d\n", n)
	})
	log.Fatal(r.Run("localhost:8080"))
}
