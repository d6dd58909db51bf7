package main

import (
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	sessions "github.com/cloakroom-go/sessions/gin"
)

// user is a browser that follows redirects and asks for pages.
type user struct {
	t      *testing.T
	client *http.Client
	site   string
}

func newUser(t *testing.T) *user {
	t.Helper()
	server := httptest.NewServer(app(sessions.Options{
		Logger: slog.New(slog.DiscardHandler), Cookie: sessions.Cookie{DisableSecure: true},
	}))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &user{t, &http.Client{Jar: jar}, server.URL}
}

// send sends a form, or asks for a page if there is none, and wants that status, address and text in the end.
func (u *user) send(path string, form url.Values, status int, address, text string) (page string) {
	u.t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(u.t.Context(), method, u.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		u.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Origin", u.site)
	res, err := u.client.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body strings.Builder
	_ = res.Write(&body)
	if got := res.Request.URL.RequestURI(); res.StatusCode != status || got != address || !strings.Contains(body.String(), text) {
		u.t.Errorf("%s %s: %d at %s, want %d at %s with %q:\n%s", method, path, res.StatusCode, got, status, address, text, body.String())
	}
	return body.String()
}

func TestGuards(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const loginAndBack = "/login?return_to=%2Femail%3Fx%3D1"
	u.send("/email?x=1", nil, 200, loginAndBack, "Sign in")
	u.send(loginAndBack, url.Values{"password": {"wrong"}}, 403, loginAndBack, "Sign in")
	login := url.Values{"user": {"ann"}, "password": {"open sesame"}}
	const confirmAndBack = "/confirm?return_to=%2Femail%3Fx%3D1"
	u.send(loginAndBack, login, 200, confirmAndBack, "Confirm")
	page := u.send(confirmAndBack, url.Values{"code": {"123456"}}, 200, "/email?x=1", "Change")
	u.send("/email", url.Values{"email": {"ann@example.com"}}, 403, "/email", "")
	_, token, _ := strings.Cut(page, `name="csrf_token" value="`)
	token, _, _ = strings.Cut(token, `"`)
	form := url.Values{"email": {"<ann@example.com>"}, "csrf_token": {token}}
	u.send("/email", form, 200, "/account", `<p class="success">Your address is now &lt;ann@example.com&gt;</p>`)
	if page := u.send("/account", nil, 200, "/account", "Signed in as ann"); strings.Contains(page, "Your address") {
		t.Error("the message is shown twice")
	}
	u.send("/login?return_to=//evil.example", nil, 200, "/account", "Signed in as ann")
	u.send("/sign-out", nil, 404, "/sign-out", "") // The router has no GET here.
	u.send("/sign-out", url.Values{}, 200, "/login", "Sign in")
	u.send("/account", nil, 200, "/login?return_to=%2Faccount", "Sign in")
}
