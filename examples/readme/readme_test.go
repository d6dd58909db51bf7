// Package readme checks that README.md shows programs which work, and that the links of all pages lead somewhere.
package readme

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func frameworks() []string { return []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} }

// address is where the programs of the README listen.
const address = "localhost:8080"

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name) //nolint:gosec // a file of this repository
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestProgramsAreInREADME compares the README's program for each framework with the file, byte for byte.
func TestProgramsAreInREADME(t *testing.T) {
	t.Parallel()
	readme := readFile(t, filepath.Join(root, "README.md"))
	for _, framework := range frameworks() {
		program := readFile(t, filepath.Join(framework, "main.go"))
		if !strings.Contains(readme, "```go\n"+program+"```\n") {
			t.Errorf("README.md does not show examples/readme/%s/main.go as it is", framework)
		}
	}
	if n := strings.Count(readme, "```go\n"); n != len(frameworks()) {
		t.Errorf("README.md has %d Go blocks; only the programs of the %d frameworks are checked", n, len(frameworks()))
	}
}

// TestProgramsRun starts each program on a free port and visits it twice.
func TestProgramsRun(t *testing.T) {
	for _, framework := range frameworks() {
		t.Run(framework, func(t *testing.T) {
			url := start(t, framework)
			body, cookie := visit(t, url, "")
			if body != "visit 1\n" || !strings.HasPrefix(cookie, "session=") {
				t.Fatalf("first visit: %q, cookie %q", body, cookie)
			}
			if body, _ = visit(t, url, cookie); body != "visit 2\n" {
				t.Errorf("second visit with the cookie: %q", body)
			}
			if body, _ = visit(t, url, ""); body != "visit 1\n" {
				t.Errorf("visit without a cookie: %q", body)
			}
		})
	}
}

// start builds a copy of the program that listens elsewhere, runs it for the length of the test and returns its URL.
func start(t *testing.T, framework string) (url string) {
	t.Helper()
	listen := freeAddress(t)
	binary := build(t, framework, listen)
	cmd := exec.CommandContext(t.Context(), binary) //nolint:gosec // built just now
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, listen)
	return "http://" + listen
}

// build compiles the program with its address replaced. An overlay gives the compiler the changed source in place of the
// file, so that nothing is written into the repository.
func build(t *testing.T, framework, listen string) (binary string) {
	t.Helper()
	source, err := filepath.Abs(filepath.Join(framework, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	program := readFile(t, source)
	if strings.Count(program, `"`+address+`"`) != 1 {
		t.Fatalf("%s does not listen on %s", source, address)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "main.go")
	writeFile(t, changed, strings.Replace(program, address, listen, 1))
	overlay := filepath.Join(dir, "overlay.json")
	writeFile(t, overlay, `{"Replace":{"`+source+`":"`+changed+`"}}`)
	binary = filepath.Join(dir, framework)
	//nolint:gosec // the arguments are ours
	out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, "./"+framework).CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only held the port
	return l.Addr().String()
}

// await waits until the program answers.
func await(t *testing.T, listen string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", listen)
		if err == nil {
			_ = conn.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nothing listens on %s: %v", listen, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func visit(t *testing.T, url, cookie string) (body, setCookie string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	setCookie, _, _ = strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return string(data), setCookie
}

// TestLinksLeadSomewhere follows the relative links of every page, and their anchors.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(readFile(t, page)), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := filepath.Join(filepath.Dir(page), path)
			if path == "" {
				target = page
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if anchor != "" && !hasAnchor(readFile(t, target), anchor) {
				t.Errorf("%s links to %s, but that page has no such heading", page, m[1])
			}
		}
	}
}

// pages are the pages of the root and of docs.
func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d pages: %v", len(all), all)
	}
	return all
}

// withoutCode takes the fenced blocks out, where brackets are not links.
func withoutCode(page string) string {
	var out strings.Builder
	code := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			out.WriteString(line)
		}
	}
	return out.String()
}

// hasAnchor reports whether a heading of the page has this anchor by GitHub's rule.
func hasAnchor(page, anchor string) bool {
	drop := regexp.MustCompile(`[^a-z0-9 _-]`)
	for line := range strings.Lines(withoutCode(page)) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			heading = drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			if strings.ReplaceAll(heading, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
