package examples_test

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core"
	echosessions "github.com/cloakroom-go/sessions/echo"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	fibersessions "github.com/cloakroom-go/sessions/fiber"
	ginsessions "github.com/cloakroom-go/sessions/gin"
)

// stored is what a browser keeps of a cookie.
type stored struct {
	Domain, Path                           string
	Secure, HTTPOnly, Session, Partitioned bool
	SameSite                               network.CookieSameSite
	Days                                   int // until it expires, rounded
}

func attributes(c *network.Cookie) stored {
	s := stored{Domain: c.Domain, Path: c.Path, Secure: c.Secure, HTTPOnly: c.HTTPOnly, Session: c.Session, Partitioned: c.PartitionKey != nil, SameSite: c.SameSite}
	if !c.Session {
		s.Days = int(math.Round(time.Until(time.Unix(int64(c.Expires), 0)).Hours() / 24))
	}
	return s
}

// visitSite is the handler of a small site: /shop/in signs in, /shop/out ends the session.
func visitSite(s *core.Session, path string) string {
	switch path {
	case "/shop/in":
		if err := s.Login("ada"); err != nil {
			return err.Error()
		}
	case "/shop/out":
		s.Destroy()
	}
	return "You are at " + path
}

// The site on each framework, on a free port of this machine. What the query holds under "cookie" is set as it is.

func onGin(t *testing.T, options core.Options) (address string) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(ginsessions.New(options))
	r.GET("/*path", func(c *gin.Context) {
		if cookie := c.Query("cookie"); cookie != "" {
			c.Header("Set-Cookie", cookie)
		}
		c.String(http.StatusOK, visitSite(ginsessions.Get(c), c.Request.URL.Path))
	})
	return serve(t, r)
}

func onEcho(t *testing.T, options core.Options) (address string) {
	t.Helper()
	e := echo.New()
	e.Use(echosessions.New(options))
	e.GET("/*", func(c echo.Context) error {
		if cookie := c.QueryParam("cookie"); cookie != "" {
			c.Response().Header().Set("Set-Cookie", cookie)
		}
		return c.String(http.StatusOK, visitSite(echosessions.Get(c), c.Request().URL.Path))
	})
	return serve(t, e)
}

func serve(t *testing.T, h http.Handler) (address string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func onFiber(t *testing.T, options core.Options) (address string) {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fibersessions.New(options))
	app.Get("/*", func(c *fiber.Ctx) error {
		if cookie := c.Query("cookie"); cookie != "" {
			c.Set("Set-Cookie", cookie)
		}
		return c.SendString(visitSite(fibersessions.Get(c), c.Path()))
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(l) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithTimeout(2 * time.Second); err != nil {
			t.Log(err) // the browser keeps its connection
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// site returns the URL of a path of the site under another name of this machine; browsers take all below localhost for it.
func site(address, host, path string) string {
	_, port, _ := net.SplitHostPort(address)
	return "http://" + net.JoinHostPort(host, port) + path
}

// TestC1InBrowser signs in and looks at the cookie in the browser's jar and in the page's scripts.
func TestC1InBrowser(t *testing.T) {
	t.Parallel()
	const below = "app.example.localhost"
	usual := stored{Domain: "localhost", Path: "/", Secure: true, HTTPOnly: true, SameSite: network.CookieSameSiteLax, Days: 30}
	want := func(change func(*stored)) stored {
		s := usual
		change(&s)
		return s
	}
	all := core.Options{Expiry: core.Permanent, Cookie: core.Cookie{
		Name: "ticket", Domain: "example.localhost", Path: "/shop", DisableHTTPOnly: true, SameSite: core.SameSiteNone, Partitioned: true,
	}}
	wantAll := stored{Domain: ".example.localhost", Path: "/shop", Secure: true, SameSite: network.CookieSameSiteNone, Partitioned: true, Days: 400}
	tests := []struct {
		name    string
		on      func(*testing.T, core.Options) string
		options core.Options
		host    string
		want    stored
	}{
		{"Default", onGin, core.Options{}, "", usual},
		{"DefaultEcho", onEcho, core.Options{}, "", usual},
		{"DefaultFiber", onFiber, core.Options{}, "", usual},
		{"All", onGin, all, below, wantAll},
		{"AllEcho", onEcho, all, below, wantAll},
		{"AllFiber", onFiber, all, below, wantAll},
		{"DisableSecure", onGin, core.Options{Cookie: core.Cookie{DisableSecure: true}}, "", want(func(s *stored) { s.Secure = false })},
		{"ShortLife", onGin, core.Options{Expiry: 48 * time.Hour}, "", want(func(s *stored) { s.Days = 2 })},
		{"Permanent", onGin, core.Options{Expiry: core.Permanent}, "", want(func(s *stored) { s.Days = 400 })},
		{"SessionOnly", onGin, core.Options{Cookie: core.Cookie{SessionOnly: true}}, "", want(func(s *stored) { s.Session, s.Days = true, 0 })},
		{"DisableHTTPOnly", onGin, core.Options{Cookie: core.Cookie{DisableHTTPOnly: true}}, "", want(func(s *stored) { s.HTTPOnly = false })},
		{"HostOnly", onGin, core.Options{}, below, want(func(s *stored) { s.Domain = below })},
		{"Domain", onGin, core.Options{Cookie: core.Cookie{Domain: ".example.localhost"}}, below, want(func(s *stored) { s.Domain = ".example.localhost" })},
		{"Path", onGin, core.Options{Cookie: core.Cookie{Path: "/shop"}}, "", want(func(s *stored) { s.Path = "/shop" })},
		{"Strict", onGin, core.Options{Cookie: core.Cookie{SameSite: core.SameSiteStrict}}, "", want(func(s *stored) { s.SameSite = network.CookieSameSiteStrict })},
		{"None", onGin, core.Options{Cookie: core.Cookie{SameSite: core.SameSiteNone}}, "", want(func(s *stored) { s.SameSite = network.CookieSameSiteNone })},
		{"Unset", onGin, core.Options{Cookie: core.Cookie{SameSite: core.SameSiteUnset}}, "", want(func(s *stored) { s.SameSite = "" })},
		{"Partitioned", onGin, core.Options{Cookie: core.Cookie{Partitioned: true}}, "", want(func(s *stored) { s.Partitioned = true })},
		{"SecurePrefix", onGin, core.Options{Cookie: core.Cookie{Name: "__Secure-ticket"}}, "", usual},
		{"HostPrefix", onGin, core.Options{Cookie: core.Cookie{Name: "__Host-ticket"}}, "", usual},
	}
	open := browser(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, address, host := open(t), test.on(t, test.options), cmp.Or(test.host, "localhost")
			chromium.Do(ctx, t, chromedp.Navigate(site(address, host, "/shop/in")))
			jar := cookies(ctx, t)
			if len(jar) != 1 {
				t.Fatalf("%d cookies in the jar, want 1", len(jar))
			}
			if got := attributes(jar[0]); got != test.want {
				t.Errorf("stored as %+v\n      want %+v", got, test.want)
			}
			if name := cmp.Or(test.options.Cookie.Name, core.DefaultCookieName); jar[0].Name != name {
				t.Errorf("stored under %q, want %q", jar[0].Name, name)
			}
			scripts := chromium.Get(ctx, t, chromedp.Evaluate[string](`document.cookie`))
			if seen := strings.Contains(scripts, jar[0].Value); seen != test.options.Cookie.DisableHTTPOnly {
				t.Errorf("scripts see %q with DisableHTTPOnly %v", scripts, test.options.Cookie.DisableHTTPOnly)
			}
		})
	}
}

// TestC4DeletionMatchesCreation ends sessions whose cookies have each combination of the attributes that tell cookies
// apart. First it tries deletions that lack one of them, or have one too many, and those have to leave the cookie where
// it is.
func TestC4DeletionMatchesCreation(t *testing.T) {
	t.Parallel()
	open := browser(t)
	for _, cookie := range scopes() {
		t.Run(fmt.Sprintf("Domain=%s,Path=%s,Secure=%t,Partitioned=%t", cookie.Domain, cookie.Path, !cookie.DisableSecure, cookie.Partitioned), func(t *testing.T) {
			t.Parallel()
			ctx, address := open(t), onGin(t, core.Options{Cookie: cookie})
			open := func(path string) {
				t.Helper()
				chromium.Do(ctx, t, chromedp.Navigate(site(address, "app.example.localhost", path)))
			}
			open("/shop/in")
			if n := len(cookies(ctx, t)); n != 1 {
				t.Fatalf("%d cookies after signing in, want 1", n)
			}
			for _, other := range misses(cookie) {
				open("/shop/?cookie=" + url.QueryEscape(other))
				if n := len(cookies(ctx, t)); n != 1 {
					t.Fatalf("%d cookies after %q, want 1", n, other)
				}
			}
			open("/shop/out")
			if jar := cookies(ctx, t); len(jar) != 0 {
				t.Errorf("ending the session left %+v", attributes(jar[0]))
			}
		})
	}
}

// scopes returns the combinations. The prefix of the name makes Secure matter: without it the browser takes a deletion
// for good that comes from localhost, as it does over https.
func scopes() (all []core.Cookie) {
	for _, domain := range []string{"", "example.localhost"} {
		for _, path := range []string{"/", "/shop"} {
			all = append(all,
				core.Cookie{Domain: domain, Path: path, DisableSecure: true},
				core.Cookie{Domain: domain, Path: path, Name: "__Secure-ticket"},
				core.Cookie{Domain: domain, Path: path, Name: "__Secure-ticket", Partitioned: true})
		}
	}
	return all
}

// misses returns deletions that differ from the right one in a single attribute.
func misses(c core.Cookie) (all []string) {
	miss := func(change func(*core.Cookie)) {
		other := c
		change(&other)
		all = append(all, deletion(other))
	}
	miss(func(c *core.Cookie) { c.Domain = map[string]string{"": "example.localhost"}[c.Domain] })
	miss(func(c *core.Cookie) { c.Path = map[string]string{"/": "/shop", "/shop": "/"}[c.Path] })
	if !c.DisableSecure {
		miss(func(c *core.Cookie) { c.DisableSecure = true })
		miss(func(c *core.Cookie) { c.Partitioned = !c.Partitioned })
	}
	return all
}

func deletion(c core.Cookie) string {
	out := cmp.Or(c.Name, core.DefaultCookieName) + "=; Max-Age=0; Path=" + c.Path
	if c.Domain != "" {
		out += "; Domain=" + c.Domain
	}
	if !c.DisableSecure {
		out += "; Secure"
	}
	if c.Partitioned {
		out += "; Partitioned"
	}
	return out
}
