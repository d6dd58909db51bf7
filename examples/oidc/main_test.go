package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// instance is one process of the application.
type instance struct {
	http.Handler

	sessions *sessions.Manager
}

// newInstance starts one on a store.
func newInstance(t *testing.T, p *provider, store sessions.Store) *instance {
	t.Helper()
	o := options()
	o.Store, o.Logger = store, slog.New(slog.NewTextHandler(t.Output(), nil))
	m, signOns := newManager(t, o), newManager(t, signOnOptions(&o))
	a, err := newApp(t.Context(), m, signOns, client{issuer: p.url, id: clientID, secret: clientSecret, origin: origin})
	if err != nil {
		t.Fatal(err)
	}
	return &instance{a.handler(), m}
}

func newManager(t *testing.T, o sessions.Options) *sessions.Manager {
	t.Helper()
	m, err := sessions.NewManager(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return m
}

// start starts a provider and an instance of the application.
func start(t *testing.T) (*provider, *instance) {
	t.Helper()
	p := newProvider(t)
	return p, newInstance(t, p, nil)
}

// browser is a user's. It reaches the provider over the network, and the application at origin.
type browser struct {
	*http.Client

	t  *testing.T
	at *instance
}

func newBrowser(t *testing.T, at *instance) *browser {
	t.Helper()
	b := &browser{t: t, at: at}
	b.Client = sessiontest.Browser(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.String(), origin) {
			r = r.Clone(r.Context())
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			if r.URL.Path == "/callback" { // The provider has sent it.
				r.Header.Set("Sec-Fetch-Site", "cross-site")
			}
			return sessiontest.Handler(b.at)(r)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	return b
}

// reply is how a chain of redirects has ended.
type reply struct {
	status int
	url    string
	body   string
	header http.Header
}

func (b *browser) get(address string) reply {
	b.t.Helper()
	return b.do(http.MethodGet, address, "")
}

func (b *browser) do(method, address, form string) reply {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Request.URL.String(), string(body), res.Header}
}

func (b *browser) cookies() []*http.Cookie {
	return b.Jar.Cookies(&url.URL{Scheme: "https", Host: "app.test", Path: "/"})
}

// stopAtCallback makes the browser show redirects to the callback instead of following them.
func (b *browser) stopAtCallback() {
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// login signs a user in who has a session of that name at the provider.
func (b *browser) login(p *provider, user, sid string) {
	b.t.Helper()
	p.seat(user, sid)
	if got := b.get(origin + "/login"); got.status != http.StatusOK || got.url != origin+"/" {
		b.t.Errorf("login: %d %s %q", got.status, got.url, got.body)
	}
	b.want(p.url + "|" + user)
}

const nobody = "nobody is signed in"

// want fails the test if somebody else is signed in.
func (b *browser) want(user string) {
	b.t.Helper()
	if got := b.get(origin + "/"); got.status != http.StatusOK || got.body != user {
		b.t.Errorf("the start page: %d %q, want %q", got.status, got.body, user)
	}
}

// logout posts a logout token, as the provider does, and returns the status.
func (i *instance) logout(t *testing.T, token string) int {
	t.Helper()
	return i.postLogout(t, url.Values{"logout_token": {token}})
}

func (i *instance) postLogout(t *testing.T, form url.Values) int {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, origin+"/backchannel-logout", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("Set-Cookie") != "" {
		t.Errorf("the answer to a logout token has the header %v", got)
	}
	return w.Code
}

func TestSignOn(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.seat("ann", "s1")
	p.authTime = time.Now().Add(-time.Hour).Truncate(time.Second)
	b := newBrowser(t, app)
	b.want(nobody)
	if got := b.get(origin + "/login?return=" + url.QueryEscape("/?page=2")); got.url != origin+"/?page=2" || got.body != p.url+"|ann" {
		t.Errorf("the login ended at %s with %q", got.url, got.body)
	}
	cookies := b.cookies()
	for _, c := range cookies {
		if len(c.Value) != 64 || c.Name != "session" && c.Name != "sign-on" {
			t.Errorf("the browser holds %v", c)
		}
	}
	s := sessiontest.Read(t, app.sessions, cookies...)
	if got := s.AuthenticatedAt(); !got.Equal(p.authTime) {
		t.Errorf("authenticated at %v, want the provider's %v", got, p.authTime)
	}
	if s.Fresh(time.Minute) {
		t.Error("a password of an hour ago is fresh")
	}
	if got := s.Auth(); got.ProviderSession != p.url+"|s1" || !slices.Equal(got.Methods, []string{"pwd", "otp"}) {
		t.Errorf("the session says %+v", got)
	}
	// A provider without auth_time and sid.
	p.change = func(id claims) { delete(id, "auth_time"); delete(id, "sid") }
	b = newBrowser(t, app)
	b.login(p, "ben", "")
}

func TestReturnIsLocal(t *testing.T) {
	t.Parallel()
	for page, want := range map[string]string{
		"": "/", "/": "/", "/a/b?c=d#e": "/a/b?c=d#e", "https://evil.test/": "/", "//evil.test": "/", `/\evil.test`: "/",
		"/\t/evil.test": "/", "javascript:alert(1)": "/", "evil": "/", `\\evil.test`: "/", "/%2f/evil.test": "/%2f/evil.test",
	} {
		if got := localPath(page); got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
	p, app := start(t)
	p.seat("ann", "s1")
	if got := newBrowser(t, app).get(origin + "/login?return=//evil.test"); got.url != origin+"/" {
		t.Errorf("the login ended at %s", got.url)
	}
}

// callback returns a browser that the provider has just sent back, and to where.
func callback(t *testing.T, p *provider, app *instance) (b *browser, back string) {
	t.Helper()
	b = newBrowser(t, app)
	b.stopAtCallback()
	back = b.get(origin + "/login").header.Get("Location")
	if !strings.HasPrefix(back, origin+"/callback?code=") {
		t.Fatalf("%s sends the browser to %q", p.url, back)
	}
	b.CheckRedirect = nil
	return b, back
}

func TestStateIsSpentOnce(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.seat("ann", "s1")
	b, back := callback(t, p, app)
	var mu sync.Mutex
	answers := map[int]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got := b.get(back)
			mu.Lock()
			defer mu.Unlock()
			answers[got.status]++
		})
	}
	wg.Wait()
	if answers[http.StatusOK] != 1 || answers[http.StatusForbidden] != 7 || p.redeemed != 1 {
		t.Errorf("eight callbacks were answered %v, and the code exchanged %d times", answers, p.redeemed)
	}
	b.want(p.url + "|ann")
	if got := b.get(back); got.status != http.StatusForbidden || p.redeemed != 1 {
		t.Errorf("a later callback: %d, and the code was exchanged %d times", got.status, p.redeemed)
	}
	other := newBrowser(t, app)
	if got := other.get(back); got.status != http.StatusForbidden || p.redeemed != 1 {
		t.Errorf("a later callback of another browser: %d, and the code was exchanged %d times", got.status, p.redeemed)
	}
	other.want(nobody)
}

// TestForeignState has an attacker send a victim the end of the attacker's own login.
func TestForeignState(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.seat("mallory", "s1")
	_, theirs := callback(t, p, app)
	p.seat("ann", "s2")
	waiting, _ := callback(t, p, app)
	for _, victim := range []*browser{newBrowser(t, app), waiting} {
		if got := victim.get(theirs); got.status != http.StatusForbidden || p.redeemed != 0 {
			t.Errorf("%d %q, and the code was exchanged %d times", got.status, got.body, p.redeemed)
		}
		victim.want(nobody)
	}
}

// TestForeignCode has an attacker put their code beside the state of the victim: PKCE and the nonce are against that.
func TestForeignCode(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.seat("mallory", "s1")
	_, theirs := callback(t, p, app)
	victim, own := callback(t, p, app)
	from, err := url.Parse(theirs)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	query := to.Query()
	query.Set("code", from.Query().Get("code"))
	to.RawQuery = query.Encode()
	if got := victim.get(to.String()); got.status != http.StatusForbidden || p.redeemed == 0 {
		t.Errorf("%d %q, and the code was exchanged %d times", got.status, got.body, p.redeemed)
	}
	victim.want(nobody)
}

func TestInvalidIDToken(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(p *provider){
		"nonce":    func(p *provider) { p.change = func(id claims) { id["nonce"] = "another" } },
		"no nonce": func(p *provider) { p.change = func(id claims) { delete(id, "nonce") } },
		"nobody":   func(p *provider) { p.change = func(id claims) { delete(id, "sub") } },
		"audience": func(p *provider) { p.change = func(id claims) { id["aud"] = "another" } },
		"issuer":   func(p *provider) { p.change = func(id claims) { id["iss"] = "https://another.test" } },
		"expired":  func(p *provider) { p.change = func(id claims) { id["exp"] = time.Now().Add(-time.Hour).Unix() } },
		"signature": func(p *provider) {
			k := newKey(p.t)
			p.sign = func(id claims) string { return signed(p.t, k, "JWT", id) }
		},
		"alg none": func(p *provider) { p.sign = func(id claims) string { return unsigned(p.t, id) } },
		"no token": func(p *provider) { p.sign = func(claims) string { return "" } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, app := start(t)
			p.seat("ann", "s1")
			spoil(p)
			b := newBrowser(t, app)
			if got := b.get(origin + "/login"); got.status != http.StatusForbidden || p.redeemed != 1 {
				t.Errorf("%d %q", got.status, got.body)
			}
			b.want(nobody)
		})
	}
}

// TestStaleProof has a provider that does not keep to max_age.
func TestStaleProof(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.seat("ann", "s1")
	p.authTime = time.Now().Add(-lifetime - time.Minute)
	b := newBrowser(t, app)
	if got := b.get(origin + "/login?return=/?page=2"); got.url != origin+"/?page=2" {
		t.Errorf("the login ended at %s with %d %q", got.url, got.status, got.body)
	}
	b.want(p.url + "|ann")
	if len(p.asked) != 2 || p.asked[0].Get("max_age") != "43200" || p.asked[0].Has("prompt") || p.asked[1].Get("prompt") != "login" {
		t.Errorf("the provider was asked %v", p.asked)
	}
	// One that does not ask again either is not asked for ever.
	p.lazy, p.asked, p.authTime = true, nil, time.Now().Add(-lifetime-time.Minute)
	b = newBrowser(t, app)
	if got := b.get(origin + "/login"); got.status != http.StatusConflict || len(p.asked) != 2 {
		t.Errorf("%d %q, and the provider was asked %d times", got.status, got.body, len(p.asked))
	}
	b.want(nobody)
}

// TestAgain asks a user again who is signed in, before something sensitive.
func TestAgain(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	p.authTime = time.Now().Add(-time.Hour)
	b := newBrowser(t, app)
	b.login(p, "ann", "s1")
	if got := b.get(origin + "/login?again=yes"); got.status != http.StatusOK {
		t.Errorf("%d %q", got.status, got.body)
	}
	s := sessiontest.Read(t, app.sessions, b.cookies()...)
	if !s.Fresh(time.Minute) || s.Subject() != p.url+"|ann" {
		t.Errorf("%q has proved it at %v", s.Subject(), s.AuthenticatedAt())
	}
}

// shared starts two instances on one store.
func shared(t *testing.T) (p *provider, store *sessiontest.Store, one, two *instance) {
	t.Helper()
	p, store = newProvider(t), sessiontest.NewStore(nil)
	return p, store, newInstance(t, p, store), newInstance(t, p, store)
}

func TestLogoutOfASession(t *testing.T) {
	t.Parallel()
	p, _, one, two := shared(t)
	phone, laptop, ben := newBrowser(t, one), newBrowser(t, one), newBrowser(t, two)
	phone.login(p, "ann", "s1")
	laptop.login(p, "ann", "s2")
	ben.login(p, "ben", "s3")
	token := p.logoutToken("ann", "s1")
	for range 2 { // The second one is a replay.
		if got := two.logout(t, token); got != http.StatusOK {
			t.Errorf("the logout is answered %d", got)
		}
		phone.want(nobody)
		laptop.at = two
		laptop.want(p.url + "|ann")
		ben.want(p.url + "|ben")
	}
	phone.at = two
	phone.want(nobody)
	if list, err := one.sessions.List(t.Context(), p.url+"|ann"); err != nil || len(list) != 1 {
		t.Errorf("Ann's sessions are %v, %v", list, err)
	}
	if got := two.logout(t, p.logoutToken("", "unknown")); got != http.StatusOK {
		t.Errorf("the logout of a session that never came here is answered %d", got)
	}
	// Providers that send the token without a type, or with the general one.
	for i, typ := range []jose.ContentType{"", "JWT", "application/logout+jwt"} {
		sid := "t" + string(rune('0'+i))
		phone.login(p, "ann", sid)
		if got := one.logout(t, signed(t, p.key, typ, p.logoutClaims("", sid))); got != http.StatusOK {
			t.Errorf("type %q is answered %d", typ, got)
		}
		phone.want(nobody)
	}
}

// TestLogoutBeforeLogin has the provider's session end after the code was issued and before the login commits.
func TestLogoutBeforeLogin(t *testing.T) {
	t.Parallel()
	p, _, one, two := shared(t)
	p.seat("ann", "s1")
	p.onToken = func() {
		if got := two.logout(t, p.logoutToken("", "s1")); got != http.StatusOK {
			t.Errorf("the logout is answered %d", got)
		}
	}
	b := newBrowser(t, one)
	if got := b.get(origin + "/login"); got.status != http.StatusConflict {
		t.Errorf("the login is answered %d %q", got.status, got.body)
	}
	b.want(nobody)
	p.onToken = nil
	b.login(p, "ann", "s2")
}

func TestLogoutOfAUser(t *testing.T) {
	t.Parallel()
	p, _, one, two := shared(t)
	phone, laptop, ben := newBrowser(t, one), newBrowser(t, two), newBrowser(t, one)
	phone.login(p, "ann", "s1")
	laptop.login(p, "ann", "")
	ben.login(p, "ben", "s3")
	if got := two.logout(t, p.logoutToken("ann", "")); got != http.StatusOK {
		t.Errorf("the logout is answered %d", got)
	}
	phone.want(nobody)
	laptop.want(nobody)
	ben.want(p.url + "|ben")
	// What the provider remembers from before the logout signs nobody in, not even on the other instance.
	p.seat("ann", "s4")
	p.authTime = time.Now().Add(-time.Hour)
	if got := phone.get(origin + "/login"); got.status != http.StatusConflict {
		t.Errorf("a login with a proof from before the logout is answered %d %q", got.status, got.body)
	}
	p.authTime = time.Now().Add(time.Second) // Its times are in seconds.
	phone.login(p, "ann", "s4")
}

func TestInvalidLogoutToken(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	var idToken string
	p.sign = func(id claims) string { idToken = signed(t, p.key, "JWT", id); return idToken }
	b := newBrowser(t, app)
	b.login(p, "ann", "s1")
	p.sign = nil
	with := func(change func(c claims)) string {
		c := p.logoutClaims("ann", "s1")
		change(c)
		return signed(t, p.key, "logout+jwt", c)
	}
	without := func(claim string) string { return with(func(c claims) { delete(c, claim) }) }
	set := func(claim string, v any) string { return with(func(c claims) { c[claim] = v }) }
	good := p.logoutToken("ann", "s1")
	for name, token := range map[string]string{
		"nothing":         "",
		"rubbish":         "a.b.c",
		"an ID token":     idToken,
		"nonce":           set("nonce", "n"),
		"empty nonce":     set("nonce", ""),
		"null nonce":      set("nonce", nil),
		"no events":       without("events"),
		"other events":    set("events", claims{"http://schemas.openid.net/event/another": claims{}}),
		"no issuer":       without("iss"),
		"other issuer":    set("iss", "https://another.test"),
		"no audience":     without("aud"),
		"other audience":  set("aud", []string{"another"}),
		"no expiry":       without("exp"),
		"expired":         set("exp", time.Now().Add(-time.Hour).Unix()),
		"no time":         without("iat"),
		"no id":           without("jti"),
		"nobody":          with(func(c claims) { delete(c, "sub"); delete(c, "sid") }),
		"alg none":        unsigned(t, p.logoutClaims("ann", "s1")),
		"other key":       signed(t, newKey(t), "logout+jwt", p.logoutClaims("ann", "s1")),
		"other type":      signed(t, p.key, "secevent+jwt", p.logoutClaims("ann", "s1")),
		"other signature": good[:strings.LastIndex(good, ".")] + idToken[strings.LastIndex(idToken, "."):],
	} {
		if got := app.logout(t, token); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
		b.want(p.url + "|ann")
	}
	padded := url.Values{"logout_token": {good}, "padding": {strings.Repeat("x", 1<<17)}}
	if got := app.postLogout(t, padded); got != http.StatusBadRequest {
		t.Errorf("a form of 128 KiB: %d", got)
	}
	b.want(p.url + "|ann")
	if got := app.logout(t, good); got != http.StatusOK {
		t.Errorf("the token that was spoiled is answered %d as it was", got)
	}
	b.want(nobody)
}

func TestStoreOutage(t *testing.T) {
	t.Parallel()
	p, store, app, _ := shared(t)
	phone, laptop := newBrowser(t, app), newBrowser(t, app)
	phone.login(p, "ann", "s1")
	laptop.login(p, "ben", "s2")
	waiting, back := callback(t, p, app)
	session, user := p.logoutToken("", "s1"), p.logoutToken("ben", "")
	store.Fail(sessiontest.Fault{})
	for _, token := range []string{session, user} {
		if got := app.logout(t, token); got != http.StatusServiceUnavailable {
			t.Errorf("the logout is answered %d", got)
		}
	}
	if got := waiting.get(back); got.status != http.StatusServiceUnavailable {
		t.Errorf("the callback is answered %d %q", got.status, got.body)
	}
	if got := phone.do(http.MethodPost, origin+"/logout", ""); got.status != http.StatusServiceUnavailable {
		t.Errorf("the user's own logout is answered %d %q", got.status, got.body)
	}
	store.Heal()
	for _, token := range []string{session, user} { // The provider tries again, with the same token.
		if got := app.logout(t, token); got != http.StatusOK {
			t.Errorf("the logout is answered %d", got)
		}
	}
	phone.want(nobody)
	laptop.want(nobody)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	p, app := start(t)
	b := newBrowser(t, app)
	b.login(p, "ann", "s1")
	old := b.cookies()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	got := b.do(http.MethodPost, origin+"/logout", "")
	want := p.url + "/end?client_id=shop&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F&tenant=1"
	if got.status != http.StatusSeeOther || got.header.Get("Location") != want {
		t.Errorf("%d, to %s", got.status, got.header.Get("Location"))
	}
	if got := b.cookies(); len(got) != 1 || got[0].Name != "sign-on" {
		t.Errorf("the browser holds %v", got)
	}
	b.Jar.SetCookies(&url.URL{Scheme: "https", Host: "app.test", Path: "/"}, old)
	b.want(nobody)
	for endSession, want := range map[string]string{"": "/", "https://id.test/end": "https://id.test/end?client_id=shop&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F"} {
		if got, err := logoutURL(endSession, client{id: clientID, origin: origin}); got != want || err != nil {
			t.Errorf("%q: %q, %v", endSession, got, err)
		}
	}
}

// TestStart fails at once if there is no provider.
func TestStart(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := newApp(t.Context(), nil, nil, client{issuer: server.URL}); err == nil {
		t.Error("there is no provider")
	}
}
