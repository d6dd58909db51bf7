package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	_ "github.com/cloakroom-go/sessions/examples/demo" // a cached result must not outlive a change to it
)

// TestDemo builds the programs, starts each as a user does, and runs every test against it, over HTTP and in a
// browser. The tests share the program and have a session each. Then, it starts each on every store.
func TestDemo(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*visitor){
		"SignInAndOut":          signInAndOut,
		"CountsWithoutScripts":  countsWithoutScripts,
		"RefusesBadForms":       refusesBadForms,
		"RefusesOtherSites":     refusesOtherSites,
		"R4bLosesNoClick":       losesNoClick,
		"Renew":                 renew,
		"AsksPassively":         asksPassively,
		"ConfirmsTwice":         confirmsTwice,
		"H1Head":                head,
		"H2StreamsPieceByPiece": streamsPieceByPiece,
		"H2StreamsEvents":       streamsEvents,
		"H2StreamsLines":        streamsLines,
		"H3KeepsTheSecret":      keepsTheSecret,
	}
	inBrowser := map[string]func(context.Context, *testing.T, string){
		"Walk":             walk,
		"Watch":            watch,
		"CrossOriginPosts": crossOriginPosts,
		"Header":           headerTellsWho,
		"Operator":         operates,
	}
	binaries, open := build(t), browser(t)
	t.Run("Stores", func(t *testing.T) { t.Parallel(); runsOnEveryStore(t, binaries) })
	t.Run("Flags", func(t *testing.T) { t.Parallel(); refusesFlags(t, binaries) })
	for _, framework := range frameworks() {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			base := start(t, filepath.Join(binaries, framework))
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(visit(t, base))
				})
			}
			for name, test := range inBrowser {
				t.Run("Browser"+name, func(t *testing.T) {
					t.Parallel()
					test(open(t), t, base)
				})
			}
		})
	}
}

func frameworks() []string { return []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} }

// directory is where build puts the programs, which the tests share.
var directory string //nolint:gochecknoglobals // set by TestMain

func TestMain(m *testing.M) {
	var err error
	if directory, err = os.MkdirTemp("", "cloakroom-examples-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	_ = os.RemoveAll(directory)
	os.Exit(code)
}

// build compiles the programs once and returns their directory.
func build(t *testing.T) string {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	return directory
}

// buildOnce compiles the programs, with the race detector if the test has it, too.
var buildOnce = sync.OnceValue(func() error { //nolint:gochecknoglobals // the tests share what it builds
	args := []string{"build", "-race=" + strconv.FormatBool(underRace()), "-o", directory + "/"}
	for _, framework := range frameworks() {
		if _, err := os.Stat(filepath.Join(framework, "main.go")); err != nil { // nor must it outlive a change to one of these
			return err
		}
		args = append(args, "./"+framework)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil { //nolint:gosec // the test's own names
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
})

// underRace reports whether the test itself was built with the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// start runs a program until the test ends and returns where it says it is to be opened. The program is to stop cleanly and
// to have had nothing to complain about: panics, data races and lost sessions are told on the standard error.
func start(t *testing.T, binary string) string {
	t.Helper()
	address, stop := launch(t, binary)
	t.Cleanup(func() {
		if complaints := stop(); complaints != "" {
			t.Errorf("%s complained:\n%s", filepath.Base(binary), complaints)
		}
	})
	return address
}

// launch runs a program and returns where it says it is to be opened, and a function that interrupts it and returns what
// it wrote to the standard error. An end that is not clean fails the test. At the latest it ends with the test.
func launch(t *testing.T, binary string, args ...string) (address string, stop func() (complaints string)) {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.Command(binary, append([]string{"-addr", "localhost:0"}, args...)...) //nolint:gosec,noctx // the test's own; stopped by a signal below, which is under test
	cmd.Stderr = &complaints
	// The race detector would wait for a second at each end.
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=100", "CLOAKROOM_OPERATOR_TOKEN=" + operatorToken}, os.Environ()...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() string {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v after an interrupt; standard error:\n%s", filepath.Base(binary), err, &complaints)
		}
		return complaints.String()
	})
	t.Cleanup(func() { stop() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, ok := strings.Cut(lines.Text(), "open      "); ok {
			return address, stop
		}
	}
	t.Fatalf("%s did not say where to open it", binary)
	return "", nil
}

// operatorToken is the token of the programs under test.
const operatorToken = "correct-horse-battery"

// visitor is a browser without scripts. It reports every response, other than its Set-Cookie fields, that tells the secret
// of a session it has had.
type visitor struct {
	*testing.T
	client  *http.Client
	base    string
	secrets *sync.Map // all there have been
}

func visit(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{T: t, base: base, secrets: &sync.Map{}}
	v.client = &http.Client{Jar: jar, Transport: v}
	return v
}

// stranger returns a visitor with another cookie jar who looks out for the same secrets.
func (v *visitor) stranger() *visitor {
	other := visit(v.T, v.base)
	other.secrets = v.secrets
	return other
}

// RoundTrip looks at the head of each response, those of redirects included.
func (v *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		if c.Value != "" {
			v.secrets.Store(c.Value[22:], true) // the id, which is no secret, takes 21 characters and a part of the next
		}
	}
	for name, values := range res.Header {
		if name != "Set-Cookie" {
			v.search(r, name, strings.Join(values, "\n"))
		}
	}
	return res, nil
}

// search reports a text that tells a secret.
func (v *visitor) search(r *http.Request, where, text string) {
	v.secrets.Range(func(secret, _ any) bool {
		if strings.Contains(text, secret.(string)) {
			v.Errorf("%s %s tells the session's secret in the %s", r.Method, r.URL, where)
		}
		return true
	})
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (v *visitor) request(method, path string, form url.Values) *http.Request {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// send returns the response after redirects. It may run in any goroutine.
func (v *visitor) send(r *http.Request) answer {
	v.Helper()
	res, err := v.client.Do(r)
	if err != nil {
		v.Error(err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.Error(err)
	}
	v.search(r, "body", string(body))
	return answer{res.StatusCode, res.Header, string(body)}
}

func (v *visitor) post(path string, form url.Values) answer {
	v.Helper()
	return v.send(v.request(http.MethodPost, path, form))
}

// with asks for a page with a cookie that is not the jar's.
func (v *visitor) with(token, path string) answer {
	v.Helper()
	r := v.request(http.MethodGet, path, nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: token}) //nolint:gosec // a cookie that is sent has no attributes
	return v.send(r)
}

// wants asks for a page and reports what is missing in it.
func (v *visitor) wants(path string, status int, texts ...string) string {
	v.Helper()
	got := v.send(v.request(http.MethodGet, path, nil))
	got.wants(v, status, texts...)
	return got.body
}

func (a answer) wants(v *visitor, status int, texts ...string) {
	v.Helper()
	if a.status != status {
		v.Errorf("status %d, want %d", a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			v.Errorf("no %q in\n%s", text, a.body)
		}
	}
}

// token returns the session cookie, "" if there is none.
func (v *visitor) token() string {
	base, err := url.Parse(v.base)
	if err != nil {
		v.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(base) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

// id returns the session's id as the session page shows it.
func (v *visitor) id() string {
	v.Helper()
	found := regexp.MustCompile(`<code id="id">([0-9a-f-]{36})</code>`).FindStringSubmatch(v.wants("/session", 200))
	if found == nil {
		v.Fatal("the session page does not tell the id")
	}
	return found[1]
}

const none = "You have none yet" // what the session page says without a session

func signInAndOut(v *visitor) {
	v.wants("/session", 200, none)
	if v.token() != "" {
		v.Error("looking at the session page set a cookie")
	}
	v.wants("/", 200, `<span id="visits">1</span>`)
	v.wants("/", 200, `<span id="visits">2</span>`)
	v.post("/preferences", url.Values{"name": {"<b>"}, "scheme": {"dark"}, "accent": {"plum"}}).wants(v, 200, "Your preferences are saved.")
	before, id := v.token(), v.id()
	v.post("/signin", url.Values{"user": {"ada"}}).wants(v, 200, "Welcome, ada.")
	if body := v.wants("/", 200, "Good to see you, &lt;b&gt;.", `data-scheme="dark" data-accent="plum"`); strings.Contains(body, "Welcome, ada.") {
		v.Error("the flash message shows twice")
	}
	signedIn := v.token()
	if signedIn == before || v.id() != id {
		v.Error("signing in is to change the secret, and the secret only")
	}
	v.wants("/session", 200, "<code>visits</code>", "Expires")
	v.wants("/nowhere", 404, "There is no such page")
	v.post("/signout", nil).wants(v, 200, "Signed out")
	if v.token() != "" {
		v.Error("signing out left the cookie")
	}
	for _, token := range []string{before, signedIn} {
		v.stranger().with(token, "/session").wants(v, 200, none)
	}
}

func countsWithoutScripts(v *visitor) {
	v.wants("/counter", 200, `<span id="count">0</span>`)
	for n := range 3 {
		v.post("/counter", nil).wants(v, 200, `<span id="count">`+strconv.Itoa(n+1)+`</span>`)
	}
	v.wants("/counter", 200, `<span id="count">3</span>`)
}

func refusesBadForms(v *visitor) {
	long := strings.Repeat("é", 41)
	for _, user := range []string{"", "  ", "a\nb", "a\x00b", "\xff", long} {
		v.post("/signin", url.Values{"user": {user}}).wants(v, 422, `aria-invalid="true"`, "Please enter a name")
	}
	for _, form := range []url.Values{
		{},
		{"name": {"Ada"}, "scheme": {"pink"}, "accent": {"moss"}},
		{"name": {"Ada"}, "scheme": {"dark"}, "accent": {`"><script>`}},
		{"name": {long}, "scheme": {"dark"}, "accent": {"moss"}},
	} {
		v.post("/preferences", form).wants(v, 422, "Please choose a name")
	}
	v.wants("/session", 200, none) // nothing of all that was worth a session
	v.post("/signin", url.Values{"user": {long[2:]}}).wants(v, 200, "Welcome, ")
}

func refusesOtherSites(v *visitor) {
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://localhost:1"}, {"Origin", "null"}} {
		r := v.request(http.MethodPost, "/signin", url.Values{"user": {"eve"}})
		r.Header.Set(header[0], header[1])
		v.send(r).wants(v, 403, "Not from this site")
	}
	v.wants("/session", 200, none)
}

func losesNoClick(v *visitor) {
	const requests = 60
	v.wants("/", 200)
	var all sync.WaitGroup
	for range requests {
		r := v.request(http.MethodPost, "/counter/hits", nil)
		all.Go(func() { v.send(r) })
	}
	all.Wait()
	v.wants("/counter", 200, `<span id="count">`+strconv.Itoa(requests)+`</span>`)
}

// renew changes the secret, and lets a request that was sent before the change arrive after it.
func renew(v *visitor) {
	v.post("/session/renew", nil).wants(v, 200, none)
	if v.token() != "" {
		v.Error("renewing nothing set a cookie")
	}
	v.wants("/", 200)
	old, id := v.token(), v.id()
	v.post("/session/renew", nil).wants(v, 200, "The session has a new secret.", "<code>visits</code>")
	if v.token() == old || v.id() != id {
		v.Error("renewing is to change the secret, and the secret only")
	}
	late := v.stranger()
	late.with(old, "/session").wants(v, 200, id)
	if late.token() != v.token() {
		v.Error("a request with the previous cookie was not given the new one")
	}
	late.wants("/", 200, `<span id="visits">2</span>`)
}

// asksPassively looks at the time that is left, before, during and after a session.
func asksPassively(v *visitor) {
	v.wants("/session/left", 200, `"ended":"It has ended."`)
	if v.token() != "" {
		v.Error("asking for the time that is left set a cookie")
	}
	v.wants("/", 200)
	v.wants("/session/left", 200, `{"seconds":86`, `"ended":""}`)
	before := v.token()
	v.post("/signin", url.Values{"user": {"ada"}}).wants(v, 200, "Welcome, ada.")
	v.stranger().with(before, "/session/left").wants(v, 200, "You have signed in again in another tab.")
	signedIn := v.token()
	v.post("/signout", nil).wants(v, 200)
	v.stranger().with(signedIn, "/session/left").wants(v, 200, "You have signed out in another tab.")
	r := v.request(http.MethodPost, "/preferences", url.Values{"scheme": {"dark"}, "accent": {"plum"}})
	r.AddCookie(&http.Cookie{Name: "session", Value: signedIn}) //nolint:gosec // a cookie that is sent has no attributes
	got := v.send(r)
	got.wants(v, 409, "Your session has ended", "You have signed out in another tab.")
	if cookie := got.header.Get("Set-Cookie"); cookie != "" {
		v.Errorf("the response to a request from before signing out sets %q", cookie)
	}
}

// confirmsTwice submits each form twice at once, as a double click does.
func confirmsTwice(v *visitor) {
	v.wants("/", 200)
	for _, step := range []struct {
		path string
		form url.Values
	}{
		{"/signin", url.Values{"user": {"twice"}}},
		{"/confirm", url.Values{"phrase": {"open sesame"}}},
		{"/confirm", url.Values{"phrase": {"open sesame"}}},
		{"/password", url.Values{"phrase": {"open sesame"}}},
		{"/signin", url.Values{"user": {"twice"}}},
	} {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if got := v.post(step.path, step.form); got.status != 200 {
					v.Errorf("%s: status %d", step.path, got.status)
				}
			})
		}
		both.Wait()
		if body := v.wants("/devices", 200, "this device"); strings.Count(body, "<li data-id") != 1 {
			v.Errorf("%s: not one device:\n%s", step.path, body)
		}
	}
	v.wants("/", 200, `<span id="visits">`, `title="Signed in as twice">twice</span>`)
}

// pages are all that answer to GET, and are no stream.
func pages() []string {
	return []string{"/", "/goodbye", "/preferences", "/counter", "/counter/hits", "/live", "/session", "/session/left", "/devices", "/confirm", "/password", "/operator", "/style.css", "/app.js", "/favicon.svg", "/nowhere", "/signin"}
}

// head compares with GET.
func head(v *visitor) {
	v.wants("/", 200)
	for _, path := range pages() {
		want, got := v.send(v.request(http.MethodGet, path, nil)), v.send(v.request(http.MethodHead, path, nil))
		if got.status != want.status || got.body != "" {
			v.Errorf("HEAD %s: status %d, want %d and no body: %q", path, got.status, want.status, got.body)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Vary", "Content-Security-Policy"} {
			if got.header.Get(name) != want.header.Get(name) {
				v.Errorf("HEAD %s: %s %q, with GET %q", path, name, got.header.Get(name), want.header.Get(name))
			}
		}
	}
	for _, path := range []string{"/live/events", "/live/plain"} {
		v.send(v.request(http.MethodHead, path, nil)).wants(v, 200)
	}
	v.wants("/live", 200, `<span id="watched">0</span>`)
}

// streamsPieceByPiece goes away after the first piece. A server that kept it back until the end would have counted the
// stream by then.
func streamsPieceByPiece(v *visitor) {
	for path, want := range map[string]string{"/live/events": "id: 1\n", "/live/plain": " 1 of 10   "} {
		res, err := v.client.Do(v.request(http.MethodGet, path, nil))
		if err != nil {
			v.Fatal(err)
		}
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, want) {
			v.Errorf("%s begins with %q, %v", path, line, err)
		}
		_ = res.Body.Close()
		v.wants("/live", 200, `<span id="watched">0</span>`)
	}
}

func streamsEvents(v *visitor) {
	got := v.send(v.request(http.MethodGet, "/live/events", nil))
	if strings.Count(got.body, "\ndata: {\"n\"") != 10 || !strings.HasSuffix(got.body, "event: end\ndata: {\"watched\": 1}\n\n") {
		v.Errorf("unexpected stream:\n%s", got.body)
	}
	if got.header.Get("Content-Type") != "text/event-stream" || got.header.Get("Cache-Control") != "no-store" {
		v.Errorf("unexpected header: %v", got.header)
	}
	v.wants("/live", 200, `<span id="watched">1</span>`)
}

func streamsLines(v *visitor) {
	got := v.send(v.request(http.MethodGet, "/live/plain", nil))
	if strings.Count(got.body, " of 10 ") != 10 || !strings.HasSuffix(got.body, "\nThe end. Streams you have watched: 1\n") {
		v.Errorf("unexpected stream:\n%s", got.body)
	}
	v.wants("/live", 200, `<span id="watched">1</span>`)
}

// keepsTheSecret asks for every page in every state; the visitor looks for the secrets.
func keepsTheSecret(v *visitor) {
	all := func() {
		for _, path := range pages() {
			v.send(v.request(http.MethodGet, path, nil))
		}
	}
	all()
	v.post("/signin", url.Values{"user": {"ada"}})
	all()
	v.post("/session/renew", nil)
	all()
	v.confirm()
	all()
	last := v.token()
	v.post("/signout", nil)
	for _, path := range pages() {
		v.stranger().with(last, path) // it is refused, and not shown for that
	}
	all()
	found := 0
	v.secrets.Range(func(any, any) bool { found++; return true })
	if found < 5 {
		v.Errorf("%d secrets seen, want one for the first session, the sign-in, the renewal, the confirmation and the session after signing out", found)
	}
}
