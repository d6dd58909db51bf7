package migrate_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/migrate"
)

const (
	day  = 24 * time.Hour
	cart = core.Key[string]("cart")
)

// application is an application on the old library and on ours, each on a server of its own.
type application struct {
	name    string // of the old cookie
	ends    bool   // the old library can end a session on the server
	dated   bool   // the old session says when its user signed in
	manager *core.Manager
	bridge  *migrate.Bridge
	before  http.Handler // with the old library
	after   http.Handler
	urls    [2]string // in place of the handlers, where a framework has a server of its own
}

// prepare makes the manager and the bridge for the old cookie of that name.
func (a *application) prepare(t *testing.T, name string, shared bool) {
	t.Helper()
	store := memstore.New(memstore.Options{})
	m, err := core.NewManager(core.Options{
		Store: store, Lifetime: 30 * day, Cookie: core.Cookie{Name: "new", DisableSecure: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := migrate.New(migrate.Options{
		Manager: m, Store: store, Old: core.FormerCookie{Name: name},
		CutOff: time.Now().Add(10 * day), Undated: time.Now().Add(-2 * day), Shared: shared,
	})
	if err != nil {
		t.Fatal(err)
	}
	a.name, a.manager, a.bridge = name, m, b
}

// browser has one jar for both servers: a jar does not look at ports.
type browser struct {
	t             *testing.T
	a             *application
	before, after string
	client        *http.Client
}

func (a *application) serve(t *testing.T) *browser {
	t.Helper()
	url := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	if a.urls[0] == "" {
		a.urls = [2]string{url(a.before), url(a.after)}
	}
	b := &browser{t: t, a: a, before: a.urls[0], after: a.urls[1]}
	return b.another()
}

// another returns a browser with an empty jar.
func (b *browser) another() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	other := *b
	other.client = &http.Client{Jar: jar}
	return &other
}

func (b *browser) send(method, url string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, url, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// wants checks what /me says: the user and the cart.
func (b *browser) wants(url, want string) {
	b.t.Helper()
	if status, got := b.send(http.MethodGet, url+"/me"); status != http.StatusOK || got != want {
		b.t.Fatalf("GET /me = %d %q, want %q", status, got, want)
	}
}

func (b *browser) post(url string) {
	b.t.Helper()
	if status, body := b.send(http.MethodPost, url); status != http.StatusOK {
		b.t.Fatalf("POST %s = %d %q", url, status, body)
	}
}

// cookie returns the value of a cookie, or "".
func (b *browser) cookie(name string) string {
	for _, c := range b.client.Jar.Cookies(b.address()) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// put puts a cookie into the jar.
func (b *browser) put(name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/"} //nolint:gosec // G124: The servers speak plain http.
	b.client.Jar.SetCookies(b.address(), []*http.Cookie{c})
}

func (b *browser) address() *url.URL {
	u, err := url.Parse(b.after)
	if err != nil {
		b.t.Fatal(err)
	}
	return u
}

// tampered returns another value of the same length.
func tampered(value string) string {
	middle := len(value) / 2
	other := "A"
	if strings.HasPrefix(value[middle:], other) {
		other = "B"
	}
	return value[:middle] + other + value[middle+1:]
}

const (
	signedIn = "ann coat"
	visitor  = " "
)

// hat is what a visitor does here before they sign in.
func hat(s *core.Session) { _ = core.Key[string]("hat").Set(s, "hat") }

// me is what /me answers.
func me(s *core.Session) string { return s.Subject() + " " + cart.Get(s) }
