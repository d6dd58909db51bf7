// Command oidc contains the recipes of docs/single-sign-on.md in one small program on net/http: it
// signs users on with an OpenID Connect provider, and out when the provider says so.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const lifetime = 12 * time.Hour

func options() sessions.Options {
	return sessions.Options{
		Expiry:   time.Hour, // signed out after an hour without a click
		Lifetime: lifetime,  // and twelve hours after the provider has asked for the password
	}
}

// signOnOptions returns those of the sessions that remember what the provider was asked.
func signOnOptions(o *sessions.Options) sessions.Options {
	cookie := o.Cookie
	cookie.Name = "sign-on"
	cookie.SameSite = sessions.SameSiteLax // It comes along when the provider sends users back.
	return sessions.Options{
		Store: o.Store, Logger: o.Logger, Prefix: "sign-on:", Cookie: cookie,
		Expiry: 10 * time.Minute, // to type a password
	}
}

func main() {
	o := options()
	o.Cookie.DisableSecure = true // for plain HTTP on localhost only
	m, err := sessions.NewManager(o)
	if err != nil {
		log.Fatal(err)
	}
	signOns, err := sessions.NewManager(signOnOptions(&o))
	if err != nil {
		log.Fatal(err)
	}
	a, err := newApp(context.Background(), m, signOns, client{
		issuer: os.Getenv("OIDC_ISSUER"), id: os.Getenv("OIDC_CLIENT_ID"),
		secret: os.Getenv("OIDC_CLIENT_SECRET"),
		origin: cmp.Or(os.Getenv("OIDC_ORIGIN"), "http://localhost:8080"),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{
		Addr: "localhost:8080", Handler: a.handler(), ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServe())
}

// client is what the provider knows about this application.
type client struct{ issuer, id, secret, origin string }

type app struct {
	sessions  *sessions.Manager
	signOns   *sessions.Manager
	issuer    string
	http      *http.Client
	oauth     oauth2.Config
	verifier  *oidc.IDTokenVerifier
	loggedOut string // where the browser goes after a logout
}

func newApp(ctx context.Context, m, signOns *sessions.Manager, c client) (*app, error) {
	a := &app{
		sessions: m, signOns: signOns, issuer: c.issuer,
		http: &http.Client{Timeout: 10 * time.Second},
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, a.http), c.issuer)
	if err != nil {
		return nil, err
	}
	var offers struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&offers); err != nil {
		return nil, err
	}
	a.verifier = provider.Verifier(&oidc.Config{ClientID: c.id})
	a.oauth = oauth2.Config{
		ClientID: c.id, ClientSecret: c.secret, Endpoint: provider.Endpoint(),
		RedirectURL: c.origin + "/callback", Scopes: []string{oidc.ScopeOpenID},
	}
	a.loggedOut, err = logoutURL(offers.EndSession, c)
	return a, err
}

// logoutURL returns where a user signs out of the provider, or the start page if they cannot.
func logoutURL(endSession string, c client) (string, error) {
	if endSession == "" {
		return "/", nil
	}
	u, err := url.Parse(endSession)
	if err != nil {
		return "", err
	}
	query := u.Query()
	query.Set("client_id", c.id)
	query.Set("post_logout_redirect_uri", c.origin+"/")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

func (a *app) handler() http.Handler {
	signOn := sessions.Middleware(a.signOns)
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", a.home)
	pages.Handle("GET /login", signOn(http.HandlerFunc(a.login)))
	pages.Handle("GET /callback", signOn(http.HandlerFunc(a.callback)))
	pages.HandleFunc("POST /logout", a.logout)
	mux := http.NewServeMux()
	mux.Handle("/", sessions.Middleware(a.sessions)(pages))
	mux.HandleFunc("POST /backchannel-logout", a.backchannelLogout) // no browser, no session
	return mux
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	user := cmp.Or(sessions.Get(r).Subject(), "nobody is signed in")
	_, _ = io.WriteString(w, user) //nolint:gosec // plain text
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	status := core.StatusCode(err) // 409: signed out meanwhile; 503: the store failed
	http.Error(w, "you are not signed in: "+http.StatusText(status), status)
}

// attempt is what the answer of the provider is checked against.
type attempt struct {
	State, Nonce, Verifier string
	Return                 string // the page that the user has asked for
	Again                  bool   // whether the provider has to ask the user
}

const pending = sessions.Key[attempt]("sign-on")

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	a.askProvider(w, r, localPath(query.Get("return")), query.Get("again") != "")
}

// askProvider sends the browser to the provider.
func (a *app) askProvider(w http.ResponseWriter, r *http.Request, page string, again bool) {
	try := attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Return: page, Again: again,
	}
	if err := pending.Set(sessions.GetFrom(r, a.signOns), try); err != nil {
		fail(w, err)
		return
	}
	maxAge := strconv.Itoa(int(lifetime.Seconds()))
	how := []oauth2.AuthCodeOption{
		oidc.Nonce(try.Nonce), oauth2.S256ChallengeOption(try.Verifier),
		oauth2.SetAuthURLParam("max_age", maxAge), // also makes the provider send auth_time
	}
	if again {
		how = append(how, oauth2.SetAuthURLParam("prompt", "login"))
	}
	http.Redirect(w, r, a.oauth.AuthCodeURL(try.State, how...), http.StatusFound)
}

// localPath returns page if it is on this site, and the start page otherwise. Browsers read a
// backslash as a slash, and two slashes begin the name of another host.
func localPath(page string) string {
	_, err := url.Parse(page) // refuses control characters, which browsers leave out
	if err != nil || !strings.HasPrefix(page, "/") || strings.HasPrefix(page, "//") ||
		strings.Contains(page, `\`) {
		return "/"
	}
	return page
}

// callback is where the provider sends the browser back to.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	ctx, query := r.Context(), r.URL.Query()
	try, ok, err := pending.TakeOnce(ctx, sessions.GetFrom(r, a.signOns))
	if err != nil {
		fail(w, err)
		return
	}
	if !ok || try.State != query.Get("state") {
		http.Error(w, "please start again", http.StatusForbidden)
		return
	}
	who, err := a.redeem(ctx, query.Get("code"), &try)
	if err != nil {
		log.Print(err)
		http.Error(w, "the provider has not signed you in", http.StatusForbidden)
		return
	}
	err = a.signIn(ctx, sessions.GetFrom(r, a.sessions), who)
	switch {
	case errors.Is(err, sessions.ErrStaleProof) && !try.Again:
		a.askProvider(w, r, try.Return, true) // whatever the provider remembers
	case err != nil:
		fail(w, err)
	default:
		http.Redirect(w, r, try.Return, http.StatusFound)
	}
}

// identity is what is used of an ID token.
type identity struct {
	Subject  string   `json:"sub"`
	Session  string   `json:"sid"`
	AuthTime int64    `json:"auth_time"`
	Methods  []string `json:"amr"`
}

// redeem exchanges the code for an ID token and verifies that.
func (a *app) redeem(ctx context.Context, code string, try *attempt) (who identity, err error) {
	ctx = oidc.ClientContext(ctx, a.http)
	tokens, err := a.oauth.Exchange(ctx, code, oauth2.VerifierOption(try.Verifier))
	if err != nil {
		return who, err
	}
	raw, _ := tokens.Extra("id_token").(string)
	token, err := a.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		return who, err
	}
	if token.Nonce != try.Nonce || token.Subject == "" {
		return who, errors.New("the ID token is for another login, or names nobody")
	}
	err = token.Claims(&who)
	return who, err
}

func (a *app) signIn(ctx context.Context, s *sessions.Session, who identity) error {
	user := a.named(who.Subject)
	start, err := a.sessions.StartProof(ctx, user)
	if err != nil {
		return err
	}
	proof := sessions.Auth{Methods: methods(who.Methods), Start: start}
	if who.AuthTime != 0 {
		proof.At = time.Unix(who.AuthTime, 0)
	}
	if who.Session != "" {
		proof.ProviderSession = a.named(who.Session)
	}
	return s.SignIn(ctx, user, sessions.SignIn{Auth: proof})
}

// named puts the issuer in front of a sub or sid: another provider may use the same ones.
func (a *app) named(name string) string { return a.issuer + "|" + name }

// methods leaves out what a session does not hold. The names of RFC 8176 are short.
func methods(amr []string) []string {
	amr = slices.DeleteFunc(amr, func(m string) bool { return m == "" || len(m) > 32 })
	return amr[:min(len(amr), 16)]
}

// logout signs the user out of this application, and then of the provider.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	sessions.Get(r).Destroy()
	http.Redirect(w, r, a.loggedOut, http.StatusSeeOther)
}

// backchannelLogout is called by the provider when a session there has ended.
func (a *app) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	ctx := r.Context()
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	token, err := a.verifyLogout(ctx, r.PostFormValue("logout_token"))
	if err != nil {
		log.Print(err)
		http.Error(w, "invalid logout token", http.StatusBadRequest)
		return
	}
	if token.SessionID != "" {
		_, err = a.sessions.RevokeProviderSession(ctx, a.named(token.SessionID))
	} else {
		_, err = a.sessions.RevokeAll(ctx, a.named(token.Subject))
	}
	if err != nil { // Some sessions may be left: the provider has to try again.
		log.Print(err)
		http.Error(w, "please try again", core.StatusCode(err))
		return
	}
	w.WriteHeader(http.StatusOK)
}

// verifyLogout returns a logout token that is valid by section 2.6 of OpenID Connect Back-Channel
// Logout 1.0. VerifyLogout leaves the time of issue and the type to the caller.
func (a *app) verifyLogout(ctx context.Context, raw string) (*oidc.LogoutToken, error) {
	token, err := a.verifier.VerifyLogout(ctx, raw)
	if err != nil {
		return nil, err
	}
	if token.IssuedAt.IsZero() {
		return nil, errors.New("the logout token has no iat")
	}
	switch typ := strings.ToLower(typeOf(raw)); strings.TrimPrefix(typ, "application/") {
	case "", "jwt", "logout+jwt": // Many providers still say JWT.
		return token, nil
	default:
		return nil, fmt.Errorf("a token of type %q is no logout token", typ)
	}
}

// typeOf returns the header typ of a token.
func typeOf(raw string) string {
	encoded, _, _ := strings.Cut(raw, ".")
	data, _ := base64.RawURLEncoding.DecodeString(encoded)
	var header struct{ Typ string }
	if json.Unmarshal(data, &header) != nil {
		return "unknown"
	}
	return header.Typ
}
