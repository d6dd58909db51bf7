package sessions_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// A login, a page for users who are signed in, and a logout.
func ExampleSession_login() {
	app := fiber.New()
	app.Use(sessions.New(sessions.Options{}))
	app.Post("/login", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		// Check the password here. SignIn replaces the secret of the session.
		err := s.SignIn(c.Context(), c.FormValue("user"), sessions.SignIn{})
		if err != nil {
			return fiber.NewError(core.StatusCode(err)) // 409 or 503
		}
		return c.SendString("welcome, " + s.Subject() + "\n")
	})
	app.Get("/page", func(c fiber.Ctx) error {
		user := sessions.Get(c).Subject()
		if user == "" {
			return c.Status(401).SendString("please sign in\n")
		}
		return c.SendString("a page for " + user + "\n")
	})
	app.Post("/logout", func(c fiber.Ctx) error {
		sessions.Get(c).Destroy() // The record and the cookie are deleted.
		return c.SendString("goodbye\n")
	})

	roundTrip := func(r *http.Request) (*http.Response, error) { return app.Test(r, fiber.TestConfig{}) }
	browser := sessiontest.Browser(roundTrip)
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
	app := fiber.New()
	app.Use(sessions.Middleware(m))
	app.Post("/login", func(c fiber.Ctx) error {
		if err := sessions.Get(c).Login(c.FormValue("user")); err != nil {
			return fiber.NewError(core.StatusCode(err))
		}
		return c.SendString("welcome\n")
	})
	app.Get("/devices", func(c fiber.Ctx) error {
		s := sessions.Get(c)
		list, err := m.List(c.Context(), s.Subject()) // an Info for each session
		if err != nil {
			return fiber.NewError(core.StatusCode(err))
		}
		return c.SendString(fmt.Sprintf("%d devices\n", len(list)))
	})
	app.Post("/devices/revoke-others", func(c fiber.Ctx) error {
		n, err := m.RevokeOthers(c.Context(), sessions.Get(c))
		if err != nil {
			return fiber.NewError(core.StatusCode(err))
		}
		return c.SendString(fmt.Sprintf("%d signed out\n", n))
	})

	roundTrip := func(r *http.Request) (*http.Response, error) { return app.Test(r, fiber.TestConfig{}) }
	laptop, phone := sessiontest.Browser(roundTrip), sessiontest.Browser(roundTrip)
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
