// Package readme checks the pages: that the programs and code they show compile and run, that what they say about stores and
// versions is so, that the tests they name exist, and that their links lead somewhere.
package readme

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

const root = "../.."

func frameworks() []string { return []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} }

// The programs listen on address, and expect Redis at redisAddress.
const (
	address      = "localhost:8080"
	redisAddress = "localhost:6379"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestProgramsAreShown compares the program for each framework on its page with the file, byte for byte.
func TestProgramsAreShown(t *testing.T) {
	t.Parallel()
	for _, framework := range frameworks() {
		page := "docs/quick-start.md"
		if framework == "gin" {
			page = "README.md"
		}
		program := readFile(t, filepath.Join(framework, "main.go"))
		if !strings.Contains(readFile(t, filepath.Join(root, page)), "```go\n"+program+"```\n") {
			t.Errorf("%s does not show examples/readme/%s/main.go as it is", page, framework)
		}
	}
}

// TestProgramsRun signs a user in and out of each program, whose sessions are in Redis.
func TestProgramsRun(t *testing.T) {
	server := testserver.Start(t, testserver.Redis{})
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: server.Password(), ContextTimeoutEnabled: true})
	defer client.Close() //nolint:errcheck // nothing was written through it
	for _, framework := range frameworks() {
		t.Run(framework, func(t *testing.T) {
			program := build(t, framework, server.Addr())
			b := &browser{origin: program.run(t)}
			b.wants(t, http.MethodGet, "/", nil, `user "", visit 1`)
			b.wants(t, http.MethodGet, "/", nil, `user "", visit 2`)
			visitor := b.cookie

			b.wants(t, http.MethodPost, "/login", url.Values{"user": {"ann"}, "password": {"wrong"}}, "401")
			b.wants(t, http.MethodPost, "/login", url.Values{"user": {"ann"}, "password": {"open sesame"}}, "303")
			if b.cookie == visitor {
				t.Error("the login left the visitor's cookie as it was")
			}
			b.wants(t, http.MethodGet, "/", nil, `user "ann", visit 3`)
			b.origin = program.run(t) // Another process finds the session in Redis.
			b.wants(t, http.MethodGet, "/", nil, `user "ann", visit 4`)

			signedIn := b.cookie
			if !stored(t, client, signedIn) {
				t.Error("Redis does not hold the session")
			}
			b.wants(t, http.MethodPost, "/logout", nil, "303")
			if b.cookie != "session=" {
				t.Errorf("the logout left the cookie %.12s...", b.cookie)
			}
			b.cookie = signedIn // a copy of it
			b.wants(t, http.MethodGet, "/", nil, `user "", visit 1`)
		})
	}
}

// stored reports whether Redis holds the session of a cookie, under the documented key.
func stored(t *testing.T, client *redis.Client, cookie string) bool {
	t.Helper()
	ticket, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cookie, "session="))
	if err != nil || len(ticket) != 48 {
		t.Fatalf("the cookie %.12s... is no ticket: %v", cookie, err)
	}
	key := fmt.Sprintf("session:%x-%x-%x-%x-%x", ticket[:4], ticket[4:6], ticket[6:8], ticket[8:10], ticket[10:16])
	n, err := client.Exists(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// browser keeps the last cookie, and follows no redirect.
type browser struct{ origin, cookie string }

// wants sends a request. Its answer must be 200 with the given line, or have the given status.
func (b *browser) wants(t *testing.T, method, path string, form url.Values, want string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.cookie != "" {
		req.Header.Set("Cookie", b.cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if set := res.Header.Get("Set-Cookie"); set != "" {
		b.cookie, _, _ = strings.Cut(set, ";")
	}
	got := res.Status[:3]
	if got == "200" {
		got = strings.TrimSpace(string(body))
	}
	if got != want {
		t.Errorf("%s %s: %q, want %q", method, path, got, want)
	}
}
