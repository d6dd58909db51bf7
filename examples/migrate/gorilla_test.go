package migrate_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/boj/redistore"
	gincontrib "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	ginredis "github.com/gin-contrib/sessions/redis"
	"github.com/gin-gonic/gin"
	gorilla "github.com/gorilla/sessions"
	echocontrib "github.com/labstack/echo-contrib/session"
	echocontribv5 "github.com/labstack/echo-contrib/v5/session"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core/migrate"
	echosessions "github.com/cloakroom-go/sessions/echo"
	echov5sessions "github.com/cloakroom-go/sessions/echov5"
	fromecho "github.com/cloakroom-go/sessions/examples/migrate/echocontrib"
	fromechov5 "github.com/cloakroom-go/sessions/examples/migrate/echocontribv5"
	fromgin "github.com/cloakroom-go/sessions/examples/migrate/gincontrib"
	fromgorilla "github.com/cloakroom-go/sessions/examples/migrate/gorilla"
	bridge "github.com/cloakroom-go/sessions/examples/migrate/nethttp"
	ginsessions "github.com/cloakroom-go/sessions/gin"
	"github.com/cloakroom-go/sessions/internal/testserver"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const (
	signingKey = "a key of thirty-two bytes, for us"
	oldName    = "old_session"
)

// newApp is the application with net/http and ours.
func newApp(a *application, read bridge.Read) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, me(sessions.Get(r))) //nolint:gosec // G705: The test has stored it.
	})
	mux.HandleFunc("POST /hat", func(_ http.ResponseWriter, r *http.Request) { hat(sessions.Get(r)) })
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) { sessions.Get(r).Destroy() })
	return bridge.Sessions(a.manager, a.bridge, read)(mux)
}

// gorillaApp is an application with gorilla/sessions, before and after.
func gorillaApp(t *testing.T, store gorilla.Store, shared bool) *application {
	t.Helper()
	a := &application{dated: true}
	a.prepare(t, oldName, shared)
	a.after = newApp(a, func(r *http.Request) (migrate.Old, error) { return fromgorilla.Read(store, oldName, r) })
	a.before = gorillaOld(store)
	return a
}

func gorillaOld(store gorilla.Store) http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, change func(s *gorilla.Session) string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s, _ := store.New(r, oldName)
			text := change(s)
			if r.Method == http.MethodPost {
				if err := store.Save(r, w, s); err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
				}
			}
			_, _ = fmt.Fprint(w, text)
		})
	}
	on("POST /login", func(s *gorilla.Session) string {
		fillOld(s)
		return ""
	})
	on("POST /logout", func(s *gorilla.Session) string { s.Options.MaxAge = -1; return "" })
	on("GET /me", func(s *gorilla.Session) string { return shown(s.Values["user"], s.Values["cart"]) })
	return mux
}

// shown is what /me of an old application answers.
func shown(user, cart any) string {
	u, _ := user.(string)
	c, _ := cart.(string)
	return u + " " + c
}

func cookieStore() *gorilla.CookieStore {
	store := gorilla.NewCookieStore([]byte(signingKey))
	store.Options.Secure = false
	return store
}

func gorillaCookie(t *testing.T, shared bool) *application {
	t.Helper()
	return gorillaApp(t, cookieStore(), shared)
}

func gorillaRedis(t *testing.T, shared bool) *application {
	t.Helper()
	server := testserver.Shared(t, testserver.Redis{})
	store, err := redistore.NewRediStore(4, "tcp", server.Addr(), "", "", []byte(signingKey))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	store.Options.Secure = false
	a := gorillaApp(t, store, shared)
	a.ends = true
	return a
}

func ginApp(t *testing.T, store gincontrib.Store, shared bool) *application {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	store.Options(gincontrib.Options{Path: "/", MaxAge: 3600})
	a := &application{dated: true}
	a.prepare(t, oldName, shared)
	after := gin.New()
	after.Use(fromgin.Sessions(a.manager, a.bridge, store, oldName)...)
	after.GET("/me", func(c *gin.Context) { c.String(http.StatusOK, me(ginsessions.Get(c))) })
	after.POST("/hat", func(c *gin.Context) { hat(ginsessions.Get(c)) })
	after.POST("/logout", func(c *gin.Context) { ginsessions.Get(c).Destroy() })
	before := gin.New()
	before.Use(gincontrib.Sessions(oldName, store))
	before.POST("/login", func(c *gin.Context) {
		s := gincontrib.Default(c)
		s.Set("user", "ann")
		s.Set("cart", "coat")
		s.Set("login", time.Now().Unix())
		s.Set("nonce", rand.Text())
		_ = s.Save()
	})
	before.POST("/logout", func(c *gin.Context) {
		s := gincontrib.Default(c)
		s.Clear()
		s.Options(gincontrib.Options{Path: "/", MaxAge: -1})
		_ = s.Save()
	})
	before.GET("/me", func(c *gin.Context) {
		s := gincontrib.Default(c)
		c.String(http.StatusOK, shown(s.Get("user"), s.Get("cart")))
	})
	a.before, a.after = before, after
	return a
}

func ginCookie(t *testing.T, shared bool) *application {
	t.Helper()
	return ginApp(t, cookie.NewStore([]byte(signingKey)), shared)
}

func ginRedis(t *testing.T, shared bool) *application {
	t.Helper()
	server := testserver.Shared(t, testserver.Redis{})
	store, err := ginredis.NewStore(4, "tcp", server.Addr(), "", "", []byte(signingKey))
	if err != nil {
		t.Fatal(err)
	}
	a := ginApp(t, store, shared)
	a.ends = true
	return a
}

func echoCookie(t *testing.T, shared bool) *application {
	t.Helper()
	store, a := cookieStore(), &application{dated: true}
	a.prepare(t, oldName, shared)
	after := echo.New()
	after.Use(fromecho.Sessions(a.manager, a.bridge, store, oldName))
	after.GET("/me", func(c echo.Context) error { return c.String(http.StatusOK, me(echosessions.Get(c))) })
	after.POST("/hat", func(c echo.Context) error { hat(echosessions.Get(c)); return nil })
	after.POST("/logout", func(c echo.Context) error { echosessions.Get(c).Destroy(); return nil })
	before := echo.New()
	before.Use(echocontrib.Middleware(store))
	on := func(change func(s *gorilla.Session)) echo.HandlerFunc {
		return func(c echo.Context) error {
			s, _ := echocontrib.Get(oldName, c)
			change(s)
			return s.Save(c.Request(), c.Response())
		}
	}
	before.POST("/login", on(fillOld))
	before.POST("/logout", on(endOld))
	before.GET("/me", func(c echo.Context) error {
		s, _ := echocontrib.Get(oldName, c)
		return c.String(http.StatusOK, shown(s.Values["user"], s.Values["cart"]))
	})
	a.before, a.after = before, after
	return a
}

func fillOld(s *gorilla.Session) {
	s.Values["user"], s.Values["cart"], s.Values["login"] = "ann", "coat", time.Now().Unix()
	s.Values["nonce"] = rand.Text() // Two logins within a second have different cookies.
}

func endOld(s *gorilla.Session) { s.Options.MaxAge = -1 }

func echoV5Cookie(t *testing.T, shared bool) *application {
	t.Helper()
	store, a := cookieStore(), &application{dated: true}
	a.prepare(t, oldName, shared)
	after := echov5.New()
	after.Use(fromechov5.Sessions(a.manager, a.bridge, store, oldName))
	after.GET("/me", func(c *echov5.Context) error { return c.String(http.StatusOK, me(echov5sessions.Get(c))) })
	after.POST("/hat", func(c *echov5.Context) error { hat(echov5sessions.Get(c)); return nil })
	after.POST("/logout", func(c *echov5.Context) error { echov5sessions.Get(c).Destroy(); return nil })
	before := echov5.New()
	before.Use(echocontribv5.Middleware(store))
	on := func(change func(s *gorilla.Session)) echov5.HandlerFunc {
		return func(c *echov5.Context) error {
			s, _ := echocontribv5.Get(oldName, c)
			change(s)
			return s.Save(c.Request(), c.Response())
		}
	}
	before.POST("/login", on(fillOld))
	before.POST("/logout", on(endOld))
	before.GET("/me", func(c *echov5.Context) error {
		s, _ := echocontribv5.Get(oldName, c)
		return c.String(http.StatusOK, shown(s.Values["user"], s.Values["cart"]))
	})
	a.before, a.after = before, after
	return a
}
