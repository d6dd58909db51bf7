// Command spa is the recipe of docs/recipes/spa.md: an API on Echo v5, and the single-page
// application that calls it from another origin. The password of all users is "open sesame".
package main

import (
	"cmp"
	_ "embed"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

//go:embed page.html
var page string

func main() {
	apiURL := cmp.Or(os.Getenv("API_URL"), "http://localhost:8080") // https://api.example.com
	appURL := cmp.Or(os.Getenv("APP_URL"), "http://localhost:8081") // https://app.example.com
	o := sessions.Options{Expiry: time.Hour}
	if os.Getenv("THIRD_PARTY") != "" {
		thirdParty(&o)
	}
	m, err := sessions.NewManager(o)
	if err != nil {
		log.Fatal(err)
	}
	e, err := newAPI(m, appURL)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(newApp(apiURL).Start("localhost:8081")) }()
	log.Fatal(e.Start("localhost:8080"))
}

// newApp serves the page. In production any server of static files does.
func newApp(apiURL string) *echo.Echo {
	e := echo.New()
	e.GET("/", func(c *echo.Context) error {
		return c.HTML(http.StatusOK, strings.Replace(page, "API_URL", apiURL, 1))
	})
	return e
}

// newAPI is the API for the page at the origin appURL.
func newAPI(m *sessions.Manager, appURL string) (*echo.Echo, error) {
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(appURL); err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(
		middleware.Recover(),
		middleware.CORSWithConfig(middleware.CORSConfig{ // outside of the sessions
			AllowOrigins:     []string{appURL}, // by name: never a pattern, never a copy of Origin
			AllowCredentials: true,
			AllowHeaders:     []string{echo.HeaderContentType},
			MaxAge:           600, // seconds for which browsers do not ask again
		}),
		refuse(origins),
		sessions.Middleware(m),
	)
	e.POST("/login", login)
	e.POST("/logout", logout)
	in := e.Group("", signedIn)
	in.GET("/note", readNote)
	in.PUT("/note", writeNote)
	return e, nil
}

// refuse answers requests that change something and come from other origins.
func refuse(others *http.CrossOriginProtection) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if err := others.Check(c.Request()); err != nil {
				return echo.NewHTTPError(http.StatusForbidden, err.Error())
			}
			return next(c)
		}
	}
}

// thirdParty makes browsers send the cookie also if the page belongs to another site.
func thirdParty(o *sessions.Options) {
	o.Cookie.SameSite = sessions.SameSiteNone
	o.Cookie.Partitioned = true // one for each site whose pages call the API
}

// signedIn is a middleware that requires a user who is signed in.
func signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		s := sessions.Get(c)
		if s.Subject() != "" {
			return next(c)
		}
		reason, _ := s.Overtaken() // "" for a visitor
		return c.JSON(http.StatusUnauthorized, map[string]any{"signedOut": reason})
	}
}

type credentials struct{ User, Password string }

// ok takes the place of the application's own check.
func (c credentials) ok() bool { return c.User != "" && c.Password == "open sesame" }

func login(c *echo.Context) error {
	var who credentials
	if err := c.Bind(&who); err != nil {
		return err
	}
	if !who.ok() {
		return echo.NewHTTPError(http.StatusForbidden, "wrong name or password")
	}
	err := sessions.Get(c).SignIn(c.Request().Context(), who.User, sessions.SignIn{})
	if err != nil {
		return echo.NewHTTPError(core.StatusCode(err), "you are not signed in").Wrap(err)
	}
	return c.JSON(http.StatusOK, who.User)
}

func logout(c *echo.Context) error {
	sessions.Get(c).Destroy()
	return c.NoContent(http.StatusNoContent)
}

const note = sessions.Key[string]("note")

func readNote(c *echo.Context) error {
	return c.JSON(http.StatusOK, note.Get(sessions.Get(c)))
}

func writeNote(c *echo.Context) error {
	var text string
	if err := c.Bind(&text); err != nil {
		return err
	}
	s := sessions.Get(c)
	if err := note.Set(s, text); err != nil {
		return echo.NewHTTPError(core.StatusCode(err), "not saved").Wrap(err)
	}
	return c.JSON(http.StatusOK, s.Subject())
}
