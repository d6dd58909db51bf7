package sessions_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// TestCommittedCookieSurvivesAReset commits, and then answers with 304, for which fasthttp resets the response.
func TestCommittedCookieSurvivesAReset(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		c.Request().Header.Set(fiber.HeaderIfModifiedSince, c.Query("since"))
		return c.Next()
	}, sessions.New(quiet(sessions.Options{})))
	app.Get("/read", read)
	app.Get("/file", func(c *fiber.Ctx) error {
		increment(c)
		return errors.Join(sessions.Commit(c), c.SendFile(file))
	})
	app.Get("/removed", func(c *fiber.Ctx) error {
		increment(c)
		if err := sessions.Commit(c); err != nil {
			return err
		}
		sessions.Get(c).Destroy()
		c.Response().Reset()
		return nil
	})
	url := serve(t, app)
	since := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	res, _ := get(t, url+"/file?since="+strings.ReplaceAll(since, " ", "%20"), "")
	if n := len(res.Header["Set-Cookie"]); res.StatusCode != http.StatusNotModified || n != 1 {
		t.Fatalf("the answer is %d with %d cookies", res.StatusCode, n)
	}
	if got := res.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if _, body := get(t, url+"/read", cookieOf(res)); body != "1" {
		t.Errorf("the cookie leads to a session that holds %q", body)
	}
	res, body := get(t, url+"/file", "")
	if set := res.Header["Set-Cookie"]; body != "page" || len(set) != 1 {
		t.Errorf("without a reset Set-Cookie is %q", set)
	}
	res, _ = get(t, url+"/removed", "")
	if set := res.Header["Set-Cookie"]; len(set) != 1 || !strings.Contains(strings.ToLower(set[0]), "max-age=0") {
		t.Errorf("after the session has ended Set-Cookie is %q", set)
	}
}

// An application's own cookies: one of the session cookie's name for another domain, and one
// that is the session cookie.
const (
	cleanup = "session=; Domain=old.example; Max-Age=0; Path=/"
	rival   = "session=theirs; Path=/"
)

// TestCommittedCookiesSurviveAReset loses the cookies that Commit has set, with and without another cookie of the name in their
// place: those and the removals of former cookies are sent once, and the application's cookie stays.
func TestCommittedCookiesSurviveAReset(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{FormerCookies: []sessions.FormerCookie{{Name: "sid"}}})))
	app.Get("/*", func(c *fiber.Ctx) error {
		increment(c)
		err := sessions.Commit(c)
		if c.Path() != "/kept" {
			c.Response().Reset()
		}
		switch c.Path() {
		case "/cleaned":
			c.Response().Header.Add("Set-Cookie", cleanup)
		case "/replaced", "/kept":
			c.Response().Header.Add("Set-Cookie", cleanup)
			c.Response().Header.Add("Set-Cookie", rival)
		}
		return err
	})
	url := serve(t, app)
	for path, want := range map[string][]string{
		"/lost":     {"session=", "sid=; Path=/; Max-Age=0"},
		"/cleaned":  {"session=", "sid=; Path=/; Max-Age=0", cleanup},
		"/replaced": {cleanup, rival},
		"/kept":     {"session=", "sid=; Path=/; Max-Age=0", cleanup, rival},
	} {
		res, _ := get(t, url+path, "")
		got := res.Header["Set-Cookie"]
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && slices.ContainsFunc(got, func(line string) bool {
				return strings.HasPrefix(line, want[i]) && (want[i] == cleanup || line != cleanup)
			})
		}
		if !ok {
			t.Errorf("%s: Set-Cookie is %q, want lines that begin with %q", path, got, want)
		}
	}
}

// TestUpgradeThatCannotBeSaved answers an upgrade with an error, after which the connection is not handed over.
func TestUpgradeThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	app.Get("/", func(c *fiber.Ctx) error {
		increment(c)
		c.Status(fiber.StatusSwitchingProtocols)
		c.Context().Hijack(func(net.Conn) { t.Error("the connection has been handed over") })
		return nil
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(serve(t, app), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(conn)
	for range 2 { // The application answers the second request, too, unless the connection has been handed over.
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if n := len(res.Cookies()); res.StatusCode != http.StatusServiceUnavailable || n != 0 {
			t.Errorf("the answer is %d with %d cookies", res.StatusCode, n)
		}
	}
}
