package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// start serves the application, which trusts the proxies with these addresses, behind the proxy.
func start(t *testing.T, change func(o *sessions.Options), proxies ...string) (newBrowser func(address string) *browser) {
	t.Helper()
	o := sessions.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	change(&o)
	m, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	app, err := newApp(m, proxies)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	base, client := newProxy(t, server.URL)
	trusting, _ := client.Transport.(*http.Transport)
	return func(address string) *browser {
		t.Helper()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := trusting.Clone()
		transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext
		t.Cleanup(transport.CloseIdleConnections)
		return &browser{t, &http.Client{Transport: transport, Jar: jar}, base}
	}
}

func unchanged(*sessions.Options) {}

// browser is somebody's, with an address of its own.
type browser struct {
	*testing.T
	client *http.Client
	base   string
}

// reply is a response that has been read.
type reply struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

func (b *browser) send(method, path string, header http.Header, form string) reply {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.base+path, strings.NewReader(form))
	if err != nil {
		b.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, res.Cookies(), string(data)}
}

// gets reports a page that reads otherwise, or that comes from elsewhere: "hit" is the cache.
func (b *browser) gets(path, want, from string) {
	b.Helper()
	res := b.send(http.MethodGet, path, http.Header{}, "")
	if res.body != want || res.header.Get("X-Cache") != from {
		b.Errorf("%s: %q from %q, want %q from %q", path, res.body, res.header.Get("X-Cache"), want, from)
	}
}

func (b *browser) login(user string) {
	b.Helper()
	form := url.Values{"user": {user}, "password": {"open sesame"}}.Encode()
	header := http.Header{"Origin": {b.base}, "X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"http"}}
	if res := b.send(http.MethodPost, "/login", header, form); res.body != "Good morning, "+user {
		b.Errorf("after the login: %d %q", res.status, res.body)
	}
}

// TestNoPageOfAnother has a cache keep what it may. Nobody gets a page that was made for another.
func TestNoPageOfAnother(t *testing.T) {
	t.Parallel()
	newBrowser := start(t, unchanged, "127.0.0.1")
	ann, ben, visitor := newBrowser("127.0.0.2"), newBrowser("127.0.0.3"), newBrowser("127.0.0.4")
	visitor.gets("/", "Good morning, visitor", "")
	ann.login("ann")
	ben.login("ben")
	for range 2 {
		ann.gets("/", "Good morning, ann", "")
		ben.gets("/", "Good morning, ben", "")
		visitor.gets("/", "Good morning, visitor", "")
	}
}

// TestSharedPages wants the cache to keep what is the same for everybody.
func TestSharedPages(t *testing.T) {
	t.Parallel()
	store := sessiontest.NewStore(nil)
	newBrowser := start(t, func(o *sessions.Options) { o.Store = store }, "127.0.0.1")
	ann, ben := newBrowser("127.0.0.2"), newBrowser("127.0.0.3")
	ann.login("ann")
	for path, want := range map[string]string{"/style.css": "body { color: navy }", "/about": "We sell coats"} {
		ann.gets(path, want, "")
		ben.gets(path, want, "hit")
		ann.gets(path, want, "hit")
	}
	for _, b := range []*browser{ann, ben} { // Ben is a visitor.
		res := b.send(http.MethodGet, "/", http.Header{}, "")
		if got := res.header.Get("Cache-Control"); got != "private, max-age=60" || res.header.Get("Vary") != "Cookie" {
			t.Errorf("the front page has the header %v", res.header)
		}
	}
	store.Fail(sessiontest.Fault{})
	if res := ann.send(http.MethodGet, "/health", http.Header{}, ""); res.status != http.StatusNoContent {
		t.Errorf("without a store the health check is answered %d", res.status)
	}
	if res := ann.send(http.MethodGet, "/", http.Header{}, ""); res.status != http.StatusServiceUnavailable ||
		res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("without a store the front page is answered %d with %v", res.status, res.header)
	}
	store.Heal()
	ann.gets("/", "Good morning, ann", "")
}

// TestCookieIsSecure looks at the cookie of an application that itself speaks plain http.
func TestCookieIsSecure(t *testing.T) {
	t.Parallel()
	b := start(t, unchanged, "127.0.0.1")("127.0.0.2")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	form := url.Values{"user": {"ann"}, "password": {"open sesame"}}.Encode()
	res := b.send(http.MethodPost, "/login", http.Header{"Sec-Fetch-Site": {"same-origin"}}, form)
	if c := res.cookies; len(c) != 1 || !c[0].Secure || res.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the login is answered with %v", res.header)
	}
}

// TestAddresses looks at the device list of a user who claims another address. Only a proxy that is trusted is believed.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for proxies, want := range map[string]string{
		"127.0.0.1":  "127.0.0.2\n", // the browser's
		"192.0.2.77": "127.0.0.1\n", // the proxy's, which is not the one that is trusted
	} {
		b := start(t, unchanged, proxies)("127.0.0.2")
		b.login("ann")
		b.gets("/devices", want, "")
	}
}

// TestOtherOrigin sends a form of another origin, which differs from the host that the browser has asked.
func TestOtherOrigin(t *testing.T) {
	t.Parallel()
	b := start(t, unchanged, "127.0.0.1")("127.0.0.2")
	res := b.send(http.MethodPost, "/login", http.Header{"Origin": {"https://evil.test"}}, "user=eve&password=open+sesame")
	if res.status != http.StatusForbidden {
		t.Errorf("%d %q", res.status, res.body)
	}
}
