package sessions_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// A login, a page for users who are signed in, and a logout.
func ExampleSession_login() {
	e := echo.New()
	e.Use(sessions.New(sessions.Options{}))
	e.POST("/login", func(c *echo.Context) error {
		s := sessions.Get(c)
		// Check the password here. SignIn replaces the secret of the session.
		err := s.SignIn(c.Request().Context(), c.FormValue("user"), sessions.SignIn{})
		if err != nil {
			return echo.NewHTTPError(core.StatusCode(err), "") // 409 or 503
		}
		return c.String(200, "welcome, "+s.Subject()+"\n")
	})
	e.GET("/page", func(c *echo.Context) error {
		user := sessions.Get(c).Subject()
		if user == "" {
			return c.String(401, "please sign in\n")
		}
		return c.String(200, "a page for "+user+"\n")
	})
	e.POST("/logout", func(c *echo.Context) error {
		sessions.Get(c).Destroy() // The record and the cookie are deleted.
		return c.String(200, "goodbye\n")
	})

	browser := sessiontest.Browser(sessiontest.Handler(e))
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
	e := echo.New()
	e.Use(sessions.Middleware(m))
	e.POST("/login", func(c *echo.Context) error {
		if err := sessions.Get(c).Login(c.FormValue("user")); err != nil {
			return echo.NewHTTPError(core.StatusCode(err), "")
		}
		return c.String(200, "welcome\n")
	})
	e.GET("/devices", func(c *echo.Context) error {
		s := sessions.Get(c)
		list, err := m.List(c.Request().Context(), s.Subject()) // an Info for each session
		if err != nil {
			return echo.NewHTTPError(core.StatusCode(err), "")
		}
		return c.String(200, fmt.Sprintf("%d devices\n", len(list)))
	})
	e.POST("/devices/revoke-others", func(c *echo.Context) error {
		n, err := m.RevokeOthers(c.Request().Context(), sessions.Get(c))
		if err != nil {
			return echo.NewHTTPError(core.StatusCode(err), "")
		}
		return c.String(200, fmt.Sprintf("%d signed out\n", n))
	})

	laptop, phone := sessiontest.Browser(sessiontest.Handler(e)), sessiontest.Browser(sessiontest.Handler(e))
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
