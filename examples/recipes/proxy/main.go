// Command proxy is the recipe of docs/recipes/proxy.md: an application on Gin behind a proxy that
// ends TLS and keeps responses, as a CDN does. The password of all users is "open sesame".
package main

import (
	"cmp"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	m, err := sessions.NewManager(sessions.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// The addresses from which the proxy connects, "10.0.0.0/24" for instance.
	proxies := strings.Split(cmp.Or(os.Getenv("PROXIES"), "127.0.0.1"), ",")
	r, err := newApp(m, proxies)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(r.Run("localhost:8080"))
}

func newApp(m *sessions.Manager, proxies []string) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	if err := r.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}
	r.Use(gin.Recovery(), refuse(http.NewCrossOriginProtection()))
	r.GET("/health", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	r.GET("/style.css", style) // the same for everybody: no session
	a := &app{sessions: m}
	pages := r.Group("/", sessions.Middleware(m))
	pages.GET("/", a.front)
	pages.GET("/about", about)
	pages.GET("/devices", a.devices)
	pages.POST("/login", a.login)
	return r, nil
}

// refuse answers requests that change something and come from other origins. It compares the
// Origin with the Host, so the proxy has to pass on the Host.
func refuse(others *http.CrossOriginProtection) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := others.Check(c.Request); err != nil {
			c.String(http.StatusForbidden, "%s", err)
			c.Abort()
		}
	}
}

func style(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "text/css", []byte("body { color: navy }"))
}

type app struct{ sessions *sessions.Manager }

// front greets who is signed in, and says that it may be kept. That holds for no response whose
// handler has used the session.
func (a *app) front(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=60")
	user := cmp.Or(sessions.Get(c).Subject(), "visitor")
	c.String(http.StatusOK, "Good morning, %s", user)
}

// about is behind the sessions, too, and does not use them.
func about(c *gin.Context) {
	c.Header("Cache-Control", "public, max-age=60")
	c.String(http.StatusOK, "We sell coats")
}

func (a *app) login(c *gin.Context) {
	user := c.PostForm("user")
	if user == "" || c.PostForm("password") != "open sesame" {
		c.String(http.StatusUnauthorized, "wrong name or password")
		return
	}
	err := sessions.Get(c).SignIn(c.Request.Context(), user, sessions.SignIn{})
	if err != nil {
		_ = c.Error(err)
		c.AbortWithStatus(core.StatusCode(err))
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

// devices lists where the user is signed in.
func (a *app) devices(c *gin.Context) {
	user := sessions.Get(c).Subject()
	if user == "" {
		c.String(http.StatusUnauthorized, "please sign in")
		return
	}
	list, err := a.sessions.List(c.Request.Context(), user)
	if err != nil {
		_ = c.Error(err)
		c.AbortWithStatus(core.StatusCode(err))
		return
	}
	for i := range list {
		c.String(http.StatusOK, "%s\n", list[i].IP)
	}
}
