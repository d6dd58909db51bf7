package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// provider answers each request for a login with a form that signs a user on, at 127.0.0.1, which is another site than
// localhost.
type provider struct {
	t    *testing.T
	url  string
	key  *ecdsa.PrivateKey
	user string
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, user: "ann"}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, map[string]any{
			"issuer": p.url, "jwks_uri": p.url + "/keys", "authorization_endpoint": p.url + "/authorize",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	return p
}

func (p *provider) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_mode") != "form_post" || q.Get("response_type") != "id_token" || q.Get("client_id") != "shop" {
		p.t.Errorf("the provider was asked %v", q)
	}
	recipe.Page(form(q.Get("redirect_uri"), url.Values{
		"state": {q.Get("state")}, "id_token": {p.token(q.Get("nonce"))},
	})).ServeHTTP(w, r)
}

// token returns an ID token for the provider's user.
func (p *provider) token(nonce string) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, options)
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{
		"iss": p.url, "aud": "shop", "sub": p.user, "nonce": nonce,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	signature, err := signer.Sign(data)
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// form is a page that posts the fields to an address as soon as it is loaded.
func form(action string, fields url.Values) string {
	var page strings.Builder
	page.WriteString(`<form method="post" action="` + html.EscapeString(action) + `">`)
	for name := range fields {
		page.WriteString(`<input name="` + html.EscapeString(name) + `" value="` + html.EscapeString(fields.Get(name)) + `">`)
	}
	page.WriteString(`</form><script>document.forms[0].submit()</script>`)
	return page.String()
}

// start starts a provider and a shop at shop.localhost.
func start(t *testing.T) (p *provider, m *sessions.Manager, origin string) {
	t.Helper()
	return startWith(t, sessions.SameSiteLax)
}

// startWith is like start for cookies with that SameSite.
func startWith(t *testing.T, sameSite sessions.SameSite) (p *provider, m *sessions.Manager, origin string) {
	t.Helper()
	p = newProvider(t)
	store := sessiontest.NewStore(nil)
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	m = manager(t, sessions.Options{Store: store, Logger: logger, Cookie: sessions.Cookie{SameSite: sameSite}})
	o := signOnOptions(store)
	o.Logger, o.Cookie.SameSite = logger, sameSite
	var shop http.Handler
	origin = "http://shop.localhost:" + recipe.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shop.ServeHTTP(w, r)
	}))
	a, err := newShop(t.Context(), m, manager(t, o), client{p.url, "shop", origin})
	if err != nil {
		t.Fatal(err)
	}
	shop = a.handler()
	return p, m, origin
}

func manager(t *testing.T, o sessions.Options) *sessions.Manager {
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

// visitor is somebody's browser, with a coat in the cart.
type visitor struct {
	*testing.T
	tab    context.Context //nolint:containedctx // a tab is a context
	origin string
}

func visit(t *testing.T, origin string) *visitor {
	t.Helper()
	tab := recipe.Browser(t)
	v := &visitor{t, tab, origin}
	v.open(origin)
	recipe.Await(tab, t, `fetch("/cart", {method: "POST", body: new URLSearchParams({item: "coat"})})`)
	return v
}

func (v *visitor) open(url string) {
	v.Helper()
	chromium.Do(v.tab, v.T, chromedp.Navigate(url))
}

// arrives waits until the browser shows a page of the shop that says so.
func (v *visitor) arrives(path, text string) {
	v.Helper()
	recipe.WaitUntil(v.tab, v.T, `location.pathname + location.search === "`+path+`" && document.body.innerText === "`+text+`"`)
}

// has reports a start page that says something else.
func (v *visitor) has(text string) {
	v.Helper()
	v.open(v.origin)
	if got := chromium.Get(v.tab, v.T, chromedp.Evaluate[string](`document.body.innerText`)); got != text {
		v.Errorf("the start page says %q, want %q", got, text)
	}
}

// TestComesBackByForm signs a visitor on. They keep their cart, and the session that they had.
func TestComesBackByForm(t *testing.T) {
	for name, sameSite := range map[string]sessions.SameSite{"Lax": sessions.SameSiteLax, "Strict": sessions.SameSiteStrict} {
		t.Run(name, func(t *testing.T) { comesBackByForm(t, sameSite) })
	}
}

func comesBackByForm(t *testing.T, sameSite sessions.SameSite) {
	t.Helper()
	p, m, origin := startWith(t, sameSite)
	v := visit(t, origin)
	v.open(origin + "/sso/login")
	ann := p.url + "|ann has [coat] in the cart"
	v.arrives("/?welcome", ann)
	v.has(ann)
	if list, err := m.List(t.Context(), p.url+"|ann"); err != nil || len(list) != 1 {
		t.Errorf("Ann's sessions are %v, %v", list, err)
	}
	// A user whose session has been revoked can sign on again at once.
	if _, err := m.RevokeAll(t.Context(), p.url+"|ann"); err != nil {
		t.Fatal(err)
	}
	v.has("nobody has [] in the cart")
	v.open(origin + "/sso/login")
	v.arrives("/?welcome", p.url+"|ann has [] in the cart")
}

// TestForeignForm has another site post the end of an attacker's own login, or a form that was posted before.
func TestForeignForm(t *testing.T) {
	p, _, origin := start(t)
	v := visit(t, origin)
	v.open(origin + "/sso/login")
	ann := p.url + "|ann has [coat] in the cart"
	v.arrives("/?welcome", ann)

	p.user = "mallory"
	state, nonce, _ := begin(t, origin)
	fields := url.Values{"state": {state}, "id_token": {p.token(nonce)}}
	for _, path := range []string{"/sso/callback", "/sso/finish"} {
		trap := recipe.Serve(t, recipe.Page(form(origin+path, fields)))
		v.open("http://127.0.0.1:" + trap)
		v.arrives("/sso/finish", "please start again")
		v.has(ann)
	}
	v.open(origin + "/sso/login") // by a tab that Ann has left behind
	v.arrives("/?welcome", p.url+"|mallory has [] in the cart")
}

// begin begins a login in a browser without cookies, and returns what the provider is asked and the cookie.
func begin(t *testing.T, origin string) (state, nonce, cookie string) {
	t.Helper()
	_, header, _ := do(t, http.MethodGet, origin+"/sso/login", "", "")
	to, err := url.Parse(header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
	return to.Query().Get("state"), to.Query().Get("nonce"), cookie
}

// do sends a request of a browser with that cookie. It needs no resolver of names.
func do(t *testing.T, method, address, cookie, body string) (status int, header http.Header, page string) {
	t.Helper()
	address = strings.Replace(address, "shop.localhost", "127.0.0.1", 1)
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", cookie)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it has been read
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(data)
}

// TestFormIsSpentOnce posts a form that has signed a user on once more, and forms with a wrong state and a wrong nonce.
func TestFormIsSpentOnce(t *testing.T) {
	t.Parallel()
	p, _, origin := start(t)
	for name, c := range map[string]struct {
		spoil func(state, nonce *string)
		want  [2]int
	}{
		"right": {func(_, _ *string) {}, [2]int{http.StatusSeeOther, http.StatusForbidden}},
		"state": {func(state, _ *string) { *state = "another" }, [2]int{http.StatusForbidden, http.StatusForbidden}},
		"nonce": {func(_, nonce *string) { *nonce = "another" }, [2]int{http.StatusForbidden, http.StatusForbidden}},
	} {
		state, nonce, cookie := begin(t, origin)
		c.spoil(&state, &nonce)
		fields := url.Values{"state": {state}, "id_token": {p.token(nonce)}}
		for i, want := range c.want {
			if got, _, _ := do(t, http.MethodPost, origin+"/sso/finish", cookie, fields.Encode()); got != want {
				t.Errorf("%s: post %d is answered %d, want %d", name, i+1, got, want)
			}
		}
	}
}

// TestFieldsAreEscaped posts HTML to the page that posts again, which takes fields from anybody.
func TestFieldsAreEscaped(t *testing.T) {
	t.Parallel()
	_, _, origin := start(t)
	fields := url.Values{"state": {`"><script>alert(1)</script>`}}
	status, h, page := do(t, http.MethodPost, origin+"/sso/callback", "", fields.Encode())
	if status != http.StatusOK || strings.Contains(page, "<script>") || h.Get("Set-Cookie") != "" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "form-action 'self'") {
		t.Errorf("the answer is %d with the header %v and the page\n%s", status, h, page)
	}
}
