package sessions_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cache"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// fieldsOf returns the values of all lines of a field in a raw answer, whatever their spelling.
func fieldsOf(answer, name string) []string {
	var values []string
	head, _, _ := strings.Cut(answer, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if key, value, ok := strings.Cut(line, ": "); ok && strings.EqualFold(key, name) {
			values = append(values, value)
		}
	}
	return values
}

// ask sends a request with these lines, as they are, and returns the answer.
func ask(t *testing.T, url, path string, lines ...string) string {
	t.Helper()
	conn := connect(t, url)
	defer func() { _ = conn.Close() }()
	request := "GET " + path + " HTTP/1.1\r\nhost: test\r\nconnection: close\r\n"
	for _, line := range lines {
		request += line + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestHeaderNormalizingDisabled reads and sets fields in spellings that fasthttp does not take for the same.
func TestHeaderNormalizingDisabled(t *testing.T) {
	t.Parallel()
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/public", func(c fiber.Ctx) error {
		c.Set("cache-control", "public, max-age=60")
		c.Set("vary", "accept")
		c.Set("VARY", "Origin")
		return read(c)
	})
	url := serve(t, app)
	set := fieldsOf(ask(t, url, "/count"), "Set-Cookie")
	if len(set) != 1 {
		t.Fatalf("Set-Cookie is %q", set)
	}
	cookie, _, _ := strings.Cut(set[0], ";")
	for _, name := range []string{"Cookie", "cookie", "COOKIE"} {
		answer := ask(t, url, "/public", name+": a=b", name+": "+cookie)
		if !strings.HasSuffix(answer, "\r\n\r\n1") {
			t.Errorf("with %s the answer is %q", name, answer)
		}
		if got := fieldsOf(answer, "Cache-Control"); !slices.Equal(got, []string{"private, max-age=60"}) {
			t.Errorf("Cache-Control is %q", got)
		}
		vary := fieldsOf(answer, "Vary")
		if len(vary) != 1 || !strings.HasSuffix(vary[0], ", Cookie") || len(vary[0]) != len("accept, Origin, Cookie") {
			t.Errorf("Vary is %q", vary)
		}
	}
}

// TestHeaderNormalizingDisabledKeptBack has another site cause requests, whose fields say so in any spelling.
func TestHeaderNormalizingDisabledKeptBack(t *testing.T) {
	t.Parallel()
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	url := serve(t, app)
	for _, spell := range []func(string) string{strings.ToLower, strings.ToUpper, func(name string) string { return name }} {
		for dest, want := range map[string]int{"document": 1, "iframe": 0} {
			answer := ask(t, url, "/count", spell("Sec-Fetch-Site")+": cross-site", spell("Sec-Fetch-Mode")+": navigate",
				spell("Sec-Fetch-Dest")+": "+dest)
			if got := len(fieldsOf(answer, "Set-Cookie")); got != want || !strings.HasSuffix(answer, "\r\n\r\n1") {
				t.Errorf("%s: the answer is %q, want %d cookies", dest, answer, want)
			}
		}
		answer := ask(t, url, "/count", spell("Sec-Fetch-Site")+": cross-site", spell("Sec-Fetch-Mode")+": no-cors")
		if got := fieldsOf(answer, "Set-Cookie"); len(got) != 0 {
			t.Errorf("no-cors: Set-Cookie is %q", got)
		}
	}
}

// TestHeaderNormalizingDisabledRejects removes the fields of a response that is replaced, in any spelling.
func TestHeaderNormalizingDisabledRejects(t *testing.T) {
	t.Parallel()
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	app.Get("/", func(c fiber.Ctx) error {
		for _, name := range []string{"etag", "ETag", "location", "cache-control"} {
			c.Set(name, "handler")
		}
		return count(c)
	})
	answer := ask(t, serve(t, app), "/")
	if !strings.HasPrefix(answer, "HTTP/1.1 503 ") || strings.Contains(answer, "handler") {
		t.Errorf("the answer is %q", answer)
	}
	if got := fieldsOf(answer, "Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control is %q", got)
	}
}

// TestCommittedCookieSurvivesAReset commits, and then answers with 304, for which fasthttp resets the response.
func TestCommittedCookieSurvivesAReset(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte("page"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := newSite(t)
	x.Get("/file", func(c fiber.Ctx) error {
		increment(c)
		return errors.Join(sessions.Commit(c), c.SendFile(file))
	})
	x.Get("/removed", func(c fiber.Ctx) error {
		increment(c)
		if err := sessions.Commit(c); err != nil {
			return err
		}
		sessions.Get(c).Destroy()
		c.Response().Reset()
		return nil
	})
	url := serve(t, x.App)
	since := "If-Modified-Since: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	answer := ask(t, url, "/file", since)
	set := fieldsOf(answer, "Set-Cookie")
	if !strings.HasPrefix(answer, "HTTP/1.1 304 ") || len(set) != 1 {
		t.Fatalf("the answer is %q", answer)
	}
	cookie, _, _ := strings.Cut(set[0], ";")
	if _, body := get(t, url+"/read", cookie); body != "1" {
		t.Errorf("the cookie leads to a session that holds %q", body)
	}
	if set := fieldsOf(ask(t, url, "/file"), "Set-Cookie"); len(set) != 1 {
		t.Errorf("without a reset Set-Cookie is %q", set)
	}
	if set := fieldsOf(ask(t, url, "/removed"), "Set-Cookie"); len(set) != 1 || !strings.Contains(set[0], "Max-Age=0") {
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
	app.Get("/*", func(c fiber.Ctx) error {
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
		got := fieldsOf(ask(t, url, path), "Set-Cookie")
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

// TestCacheOutsideOfTheSessions has Fiber's cache store what may be stored, and show nobody the page of another.
func TestCacheOutsideOfTheSessions(t *testing.T) {
	t.Parallel()
	x := newSite(t, cache.New())
	x.Get("/plain", func(c fiber.Ctx) error { return c.SendString(time.Now().String()) })
	url := serve(t, x.App)
	first, second := visitor(t, url), visitor(t, url)
	get(t, url+"/count", second)
	for range 2 {
		for cookie, want := range map[string]string{first: "1", second: "2", "": "0"} {
			if _, body := get(t, url+"/read", cookie); body != want {
				t.Errorf("the answer is %q, want %q", body, want)
			}
		}
	}
	_, once := get(t, url+"/plain", first)
	if _, again := get(t, url+"/plain", second); again != once {
		t.Error("a page that does not depend on the session was not cached")
	}
}
