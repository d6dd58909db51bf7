// Signs users in and out, and counts their visits, with Gin and Redis.
package main

import (
	"log"

	"github.com/gin-gonic/gin"
	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	sessions "github.com/cloakroom-go/sessions/gin"
)

const visits = sessions.Key[int]("visits")

func main() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r := gin.Default()
	r.Use(sessions.New(sessions.Options{Store: store}))
	r.GET("/", func(c *gin.Context) {
		s := sessions.Get(c)
		n := visits.Update(s, func(n int) int { return n + 1 })
		c.String(200, "user %q, visit %d\n", s.Subject(), n)
	})
	r.POST("/login", func(c *gin.Context) {
		user := c.PostForm("user")
		if !passwordOK(user, c.PostForm("password")) || sessions.Get(c).Login(user) != nil {
			c.AbortWithStatus(401)
			return
		}
		c.Redirect(303, "/")
	})
	r.POST("/logout", func(c *gin.Context) {
		sessions.Get(c).Destroy()
		c.Redirect(303, "/")
	})
	log.Fatal(r.Run("localhost:8080"))
}

// passwordOK stands for the check of your own.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }
