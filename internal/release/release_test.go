package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/internal/testserver"
)

// rehearsed is the version that the rehearsal releases. It is another one each time, because the go command remembers what
// is in a module of its cache.
var rehearsed = "v0.0.1-rehearsal." + strconv.FormatInt(time.Now().UnixNano(), 10) //nolint:gochecknoglobals // A constant.

// rehearse makes a copy of the repository with a section of the changelog for the version.
func rehearse(t *testing.T) *release {
	t.Helper()
	for name, value := range map[string]string{
		"GOWORK": "off", "GIT_AUTHOR_NAME": "Rehearsal", "GIT_AUTHOR_EMAIL": "rehearsal@example.com",
		"GIT_COMMITTER_NAME": "Rehearsal", "GIT_COMMITTER_EMAIL": "rehearsal@example.com",
	} {
		t.Setenv(name, value)
	}
	root, err := filepath.Abs("../..")
	must(t, err)
	original := release{root: root, version: rehearsed}
	r, err := original.inCopy(t.Context(), t.TempDir())
	must(t, err)
	name := filepath.Join(r.root, "CHANGELOG.md")
	text, err := os.ReadFile(name) //nolint:gosec // It is in the copy.
	must(t, err)
	section := "## [" + strings.TrimPrefix(rehearsed, "v") + "] - 2026-01-31\n\nRehearsed.\n\n## [Unreleased]"
	changed := strings.Replace(string(text), "## [Unreleased]", section, 1)
	must(t, os.WriteFile(name, []byte(changed), 0o600)) //nolint:gosec // It is in the copy.
	_, err = r.git(t.Context(), "commit", "--quiet", "--all", "--message", "Describe the release")
	must(t, err)
	return &r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRehearsal releases all modules from a copy of the repository. Programs outside of it get them
// from a proxy that serves what would be published, and each keeps a session.
func TestRehearsal(t *testing.T) {
	r := rehearse(t)
	must(t, r.check(t.Context()))
	tags, err := r.tag(t.Context())
	must(t, err)
	proxy := t.TempDir()
	modules, err := r.modules(t.Context())
	must(t, err)
	var paths []string
	for i := range modules {
		m := &modules[i]
		if !m.released() {
			continue
		}
		must(t, r.pack(m, proxy))
		paths = append(paths, m.path()+"@"+rehearsed)
		if !slices.Contains(tags, m.folder+"/"+rehearsed) {
			t.Errorf("%s is not tagged", m.folder)
		}
	}
	if err := r.check(t.Context()); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second release with the version = %v", err)
	}

	o := newOutsider(t, proxy)
	o.run("mod", "init", "example.com/outsider")
	o.run(append([]string{"get", "github.com/jackc/pgx/v5", "modernc.org/sqlite"}, paths...)...)
	o.copy(filepath.Join(r.root, "examples", "readme"), "gin", "echo", "echov5", "fiber", "fiberv3", "nethttp")
	o.copy("testdata", "stores")
	o.run("mod", "tidy")
	o.run("vet", "./...")
	if mod := o.read("go.mod"); strings.Contains(mod, "replace") || !strings.Contains(mod, "core "+rehearsed) {
		t.Errorf("go.mod of the outsider:\n%s", mod)
	}
	o.redis = testserver.Start(t, testserver.Redis{}).Addr()
	for _, program := range []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} {
		t.Run(program, func(t *testing.T) { o.keepsSession(t, program) })
	}
	t.Run("stores", func(t *testing.T) { o.keepsSession(t, "stores") })
}

// outsider is a module of somebody who uses the library.
type outsider struct {
	t      *testing.T
	folder string
	env    []string
	redis  string // the address of the server that programs use
}

// newOutsider makes a module that gets the library from the proxy, and all else from the cache of
// the go command, or from where that comes from. It leaves nothing of the rehearsal in the cache.
func newOutsider(t *testing.T, proxy string) *outsider {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	must(t, err)
	known := strings.Fields(string(out))
	forget := func() {
		must(t, os.RemoveAll(filepath.Join(known[0], repository)))
		must(t, os.RemoveAll(filepath.Join(known[0], "cache", "download", repository)))
	}
	forget()
	t.Cleanup(forget)
	return &outsider{t: t, folder: t.TempDir(), env: append(os.Environ(),
		"GOFLAGS=-mod=mod -modcacherw", "GONOSUMDB="+repository+"/*", "GOPROXY=file://"+proxy+","+known[1],
	)}
}

func (o *outsider) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are our own.
	cmd.Dir, cmd.Env = o.folder, o.env
	return cmd
}

func (o *outsider) run(args ...string) {
	o.t.Helper()
	if out, err := o.command(o.t.Context(), args...).CombinedOutput(); err != nil {
		o.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// copy copies programs from a folder.
func (o *outsider) copy(from string, programs ...string) {
	o.t.Helper()
	for _, program := range programs {
		must(o.t, os.CopyFS(filepath.Join(o.folder, program), os.DirFS(filepath.Join(from, program))))
	}
}

func (o *outsider) read(name string) string {
	o.t.Helper()
	text, err := os.ReadFile(filepath.Join(o.folder, name)) //nolint:gosec // It was just written.
	must(o.t, err)
	return string(text)
}

// keepsSession runs a program, which counts the visits of each visitor.
func (o *outsider) keepsSession(t *testing.T, program string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "localhost:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	name := filepath.Join(program, "main.go")
	source := strings.ReplaceAll(o.read(name), "localhost:8080", address)
	source = strings.ReplaceAll(source, "localhost:6379", o.redis)
	must(t, os.WriteFile(filepath.Join(o.folder, name), []byte(source), 0o600))
	binary := filepath.Join(t.TempDir(), program)
	o.run("build", "-o", binary, "./"+program)

	cmd := exec.CommandContext(t.Context(), binary) //nolint:gosec // It was just built.
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := &http.Client{Jar: laxJar{jar}}
	for _, wanted := range []string{"visit 1", "visit 2", "visit 3"} {
		if got := visit(t, client, "http://"+address); !strings.Contains(got, wanted) {
			t.Errorf("%s answers %q, want %q", program, got, wanted)
		}
	}
}

// laxJar treats localhost as a secure origin, as browsers do.
type laxJar struct{ http.CookieJar }

func (j laxJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}

// visit asks for the page, until the program listens.
func visit(t *testing.T, client *http.Client, address string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		must(t, err)
		response, err := client.Do(r)
		if err != nil {
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
			continue
		}
		body, err := io.ReadAll(response.Body)
		must(t, err)
		must(t, response.Body.Close())
		return string(body)
	}
}

// TestRequirements has no module require what it needs for its tests only, because that would reach
// its users.
func TestRequirements(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	must(t, err)
	r := release{root: root}
	modules, err := r.modules(t.Context())
	must(t, err)
	for i := range modules {
		m := &modules[i]
		if !m.released() {
			continue
		}
		needed := r.neededBy(t, m)
		for _, required := range m.file.Require {
			if !required.Indirect && !needed[required.Mod.Path] {
				t.Errorf("%s requires %s, which only its tests need", m.folder, required.Mod.Path)
			}
		}
	}
}

// neededBy returns the modules whose packages a module imports outside of tests.
func (r *release) neededBy(t *testing.T, m *module) map[string]bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./...")
	cmd.Dir, cmd.Env = filepath.Join(r.root, m.folder), append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	must(t, err)
	needed := map[string]bool{}
	for path := range strings.FieldsSeq(string(out)) {
		needed[path] = true
	}
	return needed
}

// TestRefusals has no release begin that could not be right.
func TestRefusals(t *testing.T) {
	r := rehearse(t)
	for version, wanted := range map[string]string{
		"": "no version", "0.0.1": "no version", "v0.0": "no version", "v0.0.1+x": "no version",
		"v2.0.0": "paths of the modules", "v0.0.2": "CHANGELOG.md has no section",
	} {
		bad := release{root: r.root, version: version}
		if err := bad.check(t.Context()); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("version %q: error is %v, want one with %q", version, err, wanted)
		}
	}
	must(t, r.check(t.Context()))
	must(t, os.WriteFile(filepath.Join(r.root, "README.md"), nil, 0o600))
	if err := r.check(t.Context()); err == nil || !strings.Contains(err.Error(), "not committed") {
		t.Errorf("with a change that is not committed: error is %v", err)
	}
}

// TestArtifacts writes what is published beside a release.
func TestArtifacts(t *testing.T) {
	r := rehearse(t)
	_, err := r.tag(t.Context())
	must(t, err)
	folder := t.TempDir()
	must(t, r.writeArtifacts(t.Context(), folder))
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--quiet", "SHA256SUMS")
	check.Dir = folder
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(folder, "gin-"+rehearsed+".cdx.json")) //nolint:gosec // Just written.
	must(t, err)
	var bill struct {
		BomFormat  string
		Components []struct{ Name string }
	}
	must(t, json.Unmarshal(text, &bill))
	hasGin := slices.ContainsFunc(bill.Components, func(c struct{ Name string }) bool {
		return c.Name == "github.com/gin-gonic/gin"
	})
	if bill.BomFormat != "CycloneDX" || !hasGin {
		t.Errorf("the bill of materials is a %q with %d components", bill.BomFormat, len(bill.Components))
	}
}

// TestInterface compares the interfaces of the modules with those of the last release. A change
// that breaks programs has to be announced.
func TestInterface(t *testing.T) {
	r := rehearse(t)
	r.version = "v0.0.1" // Others are compared with releases only, not with what comes before one.
	_, err := r.tag(t.Context())
	must(t, err)
	compare := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "lint-api", "API=core")
		cmd.Dir = r.root
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := compare(); err != nil {
		t.Errorf("without a change: %v\n%s", err, out)
	}
	change := func(name, from, to string) {
		name = filepath.Join(r.root, name)
		text, err := os.ReadFile(name) //nolint:gosec // It is in the copy.
		must(t, err)
		if !strings.Contains(string(text), from) {
			t.Fatalf("%s has no %q", name, from)
		}
		changed := []byte(strings.Replace(string(text), from, to, 1))
		must(t, os.WriteFile(name, changed, 0o600)) //nolint:gosec // It is in the copy.
	}
	change("core/store/optional.go", "Advice(ctx context.Context) string", "Advice() string")
	change("core/backend.go", "adviser.Advice(ctx)", "adviser.Advice()")
	if out, err := compare(); err == nil || !strings.Contains(out, "Adviser.Advice: changed") {
		t.Errorf("with another method: %v\n%s", err, out)
	}
	change("CHANGELOG.md", "### Added", "### Removed\n\n- Something.\n\n### Added")
	if out, err := compare(); err != nil {
		t.Errorf("with an announcement: %v\n%s", err, out)
	}
}
