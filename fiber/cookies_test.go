package sessions_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/gofiber/fiber/v2/middleware/encryptcookie"

	sessions "github.com/cloakroom-go/sessions/fiber"
)

// TestC10CookiesThatMiddlewareHasChanged reads the cookies that middleware outside of the sessions leaves, each as the client
// has spelled it if the client has sent it.
func TestC10CookiesThatMiddlewareHasChanged(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		h := &c.Request().Header
		switch c.Query("do") {
		case "remove":
			h.DelCookie("session")
		case "other":
			h.SetCookie("other", "1")
		case "rename":
			h.SetCookie("session", string(h.Cookie("old")))
		}
		return c.Next()
	}, sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	url := serve(t, app)
	res, _ := get(t, url+"/count", "")
	cookie := cookieOf(res)
	token := strings.TrimPrefix(cookie, "session=")
	for _, test := range [...]struct{ do, cookie, want string }{
		{"nothing", cookie, "1"},
		{"remove", cookie, "0"},
		{"remove", "a=b; " + cookie + "; " + cookie, "0"},
		{"other", cookie, "1"},
		{"other", "other=2; " + cookie, "1"},
		{"other", "=" + cookie, "0"},
		{"other", "session=\"" + token + "\"", "0"},
		{"other", "session =" + token, "0"},
		{"other", "session= " + token + "; a=b", "0"},
		{"other", "session=\"" + token + "\"; " + cookie, "1"},
		{"rename", "old=" + token, "1"},
		{"rename", "session=garbage; old=" + token, "1"},
	} {
		if _, body := get(t, url+"/read?do="+test.do, test.cookie); body != test.want {
			t.Errorf("%s: with Cookie: %s the answer is %q, want %q", test.do, test.cookie, body, test.want)
		}
	}
}

// TestC10CookiesThatMiddlewareDecrypts has the cookies encrypted outside of the sessions.
func TestC10CookiesThatMiddlewareDecrypts(t *testing.T) {
	t.Parallel()
	for _, lazy := range []bool{false, true} {
		app := newApp(nil)
		app.Use(encryptcookie.New(encryptcookie.Config{Key: encryptcookie.GenerateKey()}),
			sessions.New(quiet(sessions.Options{Lazy: lazy})))
		app.Get("/", count)
		url := serve(t, app)
		res, _ := get(t, url, "")
		if _, body := get(t, url, "a=b; "+cookieOf(res)); body != "2" {
			t.Errorf("lazy %t: the second answer is %q, want 2", lazy, body)
		}
	}
}

// TestC10CookiesBehindNetHTTP serves an application of Fiber with a server of net/http. Fiber's adaptor parses the cookies, so
// quotes and spaces are lost, but a cookie without a name is still none.
func TestC10CookiesBehindNetHTTP(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	server := httptest.NewServer(adaptor.FiberApp(app))
	defer server.Close()
	res, _ := get(t, server.URL+"/count", "")
	for cookie, want := range map[string]string{
		cookieOf(res): "1", "a=b; " + cookieOf(res): "1", "=" + cookieOf(res): "0", "a=" + cookieOf(res): "0",
	} {
		if _, body := get(t, server.URL+"/read", cookie); body != want {
			t.Errorf("with Cookie: %s the answer is %q, want %q", cookie, body, want)
		}
	}
}

// TestC10CookieFieldsAlike has another field, or another line, hold what a parsed cookie becomes.
func TestC10CookieFieldsAlike(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(readCookies, sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	url := serve(t, app)
	cookie, _, _ := strings.Cut(fieldsOf(ask(t, url, "/count"), "Set-Cookie")[0], ";")
	for want, requests := range map[string][][]string{
		"0": {
			{"X: " + cookie, "Cookie: =" + cookie},
			{"Cookie: =" + cookie, "X: " + cookie},
			{"X-Cookie: " + cookie, "Cookie: =" + cookie},
			{"X: Cookie: " + cookie, "Cookie: =" + cookie},
			{"Cookie: =" + cookie + "; =" + cookie},
		},
		"1": {
			{"X: " + cookie, "Cookie: " + cookie},
			{"cookie:" + cookie + "  ", "X: y"},
			{"Cookie:\t" + cookie + "\t; a=b"},
			{"Cookie: a=b", "Cookie: " + cookie},
			{"Cookie:", "Cookie: " + cookie},
			{"Cookie: a=b;\r\n " + cookie},
		},
	} {
		for _, lines := range requests {
			if answer := ask(t, url, "/read", lines...); !strings.HasSuffix(answer, "\r\n\r\n"+want) {
				t.Errorf("with %q the answer is %q, want %s", lines, answer, want)
			}
		}
	}
}
