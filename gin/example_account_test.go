package sessions_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// A login, a page for users who are signed in, and a logout.
func ExampleSession_login() {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(sessions.New(sessions.Options{}))
	r.POST("/login", func(c *gin.Context) {
		s := sessions.Get(c)
		// Check the password here. SignIn replaces the secret of the session.
		err := s.SignIn(c.Request.Context(), c.PostForm("user"), sessions.SignIn{})
		if err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err) // 409 or 503
			return
		}
		c.String(200, "%s", "welcome, "+s.Subject()+"\n")
	})
	r.GET("/page", func(c *gin.Context) {
		user := sessions.Get(c).Subject()
		if user == "" {
			c.String(401, "please sign in\n")
			return
		}
		c.String(200, "%s", "a page for "+user+"\n")
	})
	r.POST("/logout", func(c *gin.Context) {
		sessions.Get(c).Destroy() // The record and the cookie are deleted.
		c.String(200, "%s", "goodbye\n")
	})

	browser := sessiontest.Browser(sessiontest.Handler(r))
	show(browser, "GET", "/page", "")
	show(browser, "POST", "/login", "user=ann")
	show(browser, "GET", "/page", "")
	show(browser, "POST", "/logout", "")
	show(browser, "GET", "/page", "")
	// Output:
	// 401 please sign in
	// 200 welcome, ann
	// 200 a page for ann
	// 200 goodbye
	// 401 please sign in
}

// The devices on which a user is signed in, and signing out all others.
func ExampleManager_devices() {
	m, err := sessions.NewManager(sessions.Options{})
	if err != nil {
		log.Print(err)
		return
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(sessions.Middleware(m))
	r.POST("/login", func(c *gin.Context) {
		if err := sessions.Get(c).Login(c.PostForm("user")); err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err)
			return
		}
		c.String(200, "%s", "welcome\n")
	})
	r.GET("/devices", func(c *gin.Context) {
		s := sessions.Get(c)
		list, err := m.List(c.Request.Context(), s.Subject()) // an Info for each session
		if err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err)
			return
		}
		c.String(200, "%s", fmt.Sprintf("%d devices\n", len(list)))
	})
	r.POST("/devices/revoke-others", func(c *gin.Context) {
		n, err := m.RevokeOthers(c.Request.Context(), sessions.Get(c))
		if err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err)
			return
		}
		c.String(200, "%s", fmt.Sprintf("%d signed out\n", n))
	})

	laptop, phone := sessiontest.Browser(sessiontest.Handler(r)), sessiontest.Browser(sessiontest.Handler(r))
	show(laptop, "POST", "/login", "user=ann")
	show(phone, "POST", "/login", "user=ann")
	show(laptop, "GET", "/devices", "")
	show(laptop, "POST", "/devices/revoke-others", "")
	show(laptop, "GET", "/devices", "")
	// Output:
	// 200 welcome
	// 200 welcome
	// 200 2 devices
	// 200 1 signed out
	// 200 1 devices
}

// show sends a form and prints the response.
func show(browser *http.Client, method, path, form string) {
	request, err := http.NewRequestWithContext(context.Background(), method, sessiontest.Origin+path, strings.NewReader(form))
	if err != nil {
		log.Print(err)
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := browser.Do(request)
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		log.Print(err)
	}
	fmt.Print(response.StatusCode, " ", string(body))
}
