package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

const clientID, clientSecret, origin = "shop", "open sesame", "https://app.test"

// claims are those of a token.
type claims map[string]any

// provider is an OpenID Connect provider. It knows who sits in front of each browser, and asks nobody for a password.
type provider struct {
	t   *testing.T
	url string
	key *ecdsa.PrivateKey

	mu        sync.Mutex
	user, sid string    // who signs in next
	authTime  time.Time // when they have proved who they are
	lazy      bool      // whether it does not ask again, whatever an application wants
	asked     []url.Values
	redeemed  int               // how often the token endpoint was called
	codes     map[string]claims // the ID token for each code, and the code challenge
	change    func(id claims)   // changes an ID token before it is signed
	sign      func(id claims) string
	onToken   func()
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{t: t, key: newKey(t), codes: map[string]claims{}, authTime: time.Now()}
	p.sign = func(id claims) string { return signed(t, p.key, "JWT", id) }
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, claims{
			"issuer": p.url, "jwks_uri": p.url + "/keys", "authorization_endpoint": p.url + "/authorize",
			"token_endpoint": p.url + "/token", "end_session_endpoint": p.url + "/end?tenant=1",
			"id_token_signing_alg_values_supported": []string{"ES256", "none"}, "backchannel_logout_supported": true,
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed returns a token with that type; "" is none.
func signed(t *testing.T, key *ecdsa.PrivateKey, typ jose.ContentType, c claims) string {
	t.Helper()
	options := &jose.SignerOptions{}
	if typ != "" {
		options.WithType(typ)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, options)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(data)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signature.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// unsigned returns a token with the algorithm "none".
func unsigned(t *testing.T, c claims) string {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(data) + "."
}

func (p *provider) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// seat puts a user in front of the next browser, with a session of that name at the provider.
func (p *provider) seat(user, sid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user, p.sid = user, sid
}

// authorize sends the browser back with a code.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	p.asked = append(p.asked, q)
	if q.Get("client_id") != clientID || q.Get("redirect_uri") != origin+"/callback" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "invalid request", http.StatusBadRequest)
		return
	}
	if q.Get("prompt") == "login" && !p.lazy {
		p.authTime = time.Now()
	}
	code := rand.Text()
	p.codes[code] = claims{
		"iss": p.url, "aud": clientID, "sub": p.user, "nonce": q.Get("nonce"), "auth_time": p.authTime.Unix(),
		"amr": []string{"pwd", "otp", strings.Repeat("x", 33)}, "challenge": q.Get("code_challenge"),
	}
	if p.sid != "" {
		p.codes[code]["sid"] = p.sid
	}
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, origin+"/callback?"+back.Encode(), http.StatusFound)
}

// token exchanges a code. It does so several times: that the application asks once is tested there.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.redeemed++
	id := maps.Clone(p.codes[r.FormValue("code")])
	p.mu.Unlock()
	user, password, _ := r.BasicAuth()
	challenge := oauth2.S256ChallengeFromVerifier(r.FormValue("code_verifier"))
	if id == nil || user != clientID || password != url.QueryEscape(clientSecret) || id["challenge"] != challenge {
		w.WriteHeader(http.StatusBadRequest)
		p.answer(w, claims{"error": "invalid_grant"})
		return
	}
	delete(id, "challenge")
	id["iat"], id["exp"] = time.Now().Unix(), time.Now().Add(time.Minute).Unix()
	if p.change != nil {
		p.change(id)
	}
	if p.onToken != nil {
		p.onToken()
	}
	p.answer(w, claims{"access_token": "secret", "token_type": "Bearer", "id_token": p.sign(id)})
}

// logoutClaims returns those of a logout token for a user, a session, or both.
func (p *provider) logoutClaims(user, sid string) claims {
	c := claims{
		"iss": p.url, "aud": clientID, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(), "jti": rand.Text(),
		"events": claims{"http://schemas.openid.net/event/backchannel-logout": claims{}},
	}
	if user != "" {
		c["sub"] = user
	}
	if sid != "" {
		c["sid"] = sid
	}
	return c
}

func (p *provider) logoutToken(user, sid string) string {
	p.t.Helper()
	return signed(p.t, p.key, "logout+jwt", p.logoutClaims(user, sid))
}
