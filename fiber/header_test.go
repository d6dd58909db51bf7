package sessions_test

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// connect opens a connection to a server of these tests.
func connect(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

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
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true, DisableStartupMessage: true})
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/public", func(c *fiber.Ctx) error {
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
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true, DisableStartupMessage: true})
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
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true, DisableStartupMessage: true})
	app.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	app.Get("/", func(c *fiber.Ctx) error {
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
