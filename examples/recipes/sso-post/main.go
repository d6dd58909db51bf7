// Command sso-post is the recipe of docs/recipes/sso-post.md: a shop on Gin whose users sign on
// with a provider that sends them back by a form, as SAML and OpenID Connect with
// response_mode=form_post do.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	m, err := sessions.NewManager(sessions.Options{})
	if err != nil {
		log.Fatal(err)
	}
	signOns, err := sessions.NewManager(signOnOptions(nil))
	if err != nil {
		log.Fatal(err)
	}
	a, err := newShop(context.Background(), m, signOns, client{
		issuer: os.Getenv("OIDC_ISSUER"), id: os.Getenv("OIDC_CLIENT_ID"),
		origin: cmp.Or(os.Getenv("OIDC_ORIGIN"), "http://localhost:8080"),
	})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(a.handler().Run("localhost:8080"))
}

// signOnOptions returns those of the sessions that remember what the provider was asked. A user
// whose session was just revoked can start one of these; see docs/single-sign-on.md.
func signOnOptions(store sessions.Store) sessions.Options {
	return sessions.Options{
		Store: store, Prefix: "sign-on:", Expiry: 10 * time.Minute,
		Cookie: sessions.Cookie{Name: "sign-on"},
	}
}

// client is what the provider knows about this application.
type client struct{ issuer, id, origin string }

type shop struct {
	sessions, signOns *sessions.Manager
	client            client
	authorize         string // where the provider asks users who they are
	verifier          *oidc.IDTokenVerifier
}

func newShop(ctx context.Context, m, signOns *sessions.Manager, c client) (*shop, error) {
	provider, err := oidc.NewProvider(ctx, c.issuer)
	if err != nil {
		return nil, err
	}
	return &shop{
		sessions: m, signOns: signOns, client: c, authorize: provider.Endpoint().AuthURL,
		verifier: provider.Verifier(&oidc.Config{ClientID: c.id}),
	}, nil
}

func (a *shop) handler() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // behind a proxy see docs/recipes/proxy.md
	r.Use(gin.Recovery())
	r.SetHTMLTemplate(template.Must(template.New("again").Parse(again)))
	r.POST("/sso/callback", postAgain) // outside of the sessions: no cookie comes along
	pages := r.Group("/", sessions.Middleware(a.sessions))
	pages.GET("/", a.home)
	pages.POST("/cart", a.add)
	signOn := pages.Group("/sso", sessions.Middleware(a.signOns))
	signOn.GET("/login", a.login)
	signOn.POST("/finish", a.finish)
	return r
}

const cart = sessions.Key[[]string]("cart")

func (a *shop) home(c *gin.Context) {
	s := sessions.Get(c)
	user := cmp.Or(s.Subject(), "nobody")
	c.String(http.StatusOK, "%s has %v in the cart", user, cart.Get(s))
}

func (a *shop) add(c *gin.Context) {
	item := c.PostForm("item")
	cart.Update(sessions.Get(c), func(items []string) []string { return append(items, item) })
	c.Redirect(http.StatusSeeOther, "/")
}

// attempt is what the answer of the provider is checked against. With SAML, State is the
// RelayState, and Nonce the ID of the request, which the answer has as InResponseTo.
type attempt struct {
	State, Nonce string
	Return       string // the page of this site that the user comes back to
}

const pending = sessions.Key[attempt]("sign-on")

// login sends the browser to the provider.
func (a *shop) login(c *gin.Context) {
	try := attempt{State: rand.Text(), Nonce: rand.Text(), Return: "/?welcome"}
	if err := pending.Set(sessions.GetFrom(c, a.signOns), try); err != nil {
		fail(c, err)
		return
	}
	query := url.Values{
		"response_type": {"id_token"}, "response_mode": {"form_post"}, "scope": {oidc.ScopeOpenID},
		"client_id": {a.client.id}, "redirect_uri": {a.client.origin + "/sso/callback"},
		"state": {try.State}, "nonce": {try.Nonce},
	}
	c.Redirect(http.StatusFound, a.authorize+"?"+query.Encode())
}

const again = `<!doctype html>
<link rel="icon" href="data:,">
<title>Signing in</title>
<form method="post" action="/sso/finish">
<input type="hidden" name="state" value="{{.State}}">
<input type="hidden" name="id_token" value="{{.Token}}">
<button>Continue</button>
</form>
<script nonce="{{.Script}}">document.forms[0].submit()</script>
`

// postAgain answers the form of the provider with a page of this site that posts the same fields.
func postAgain(c *gin.Context) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 256<<10)
	script := rand.Text()
	c.Header("Cache-Control", "no-store")
	c.Header("Content-Security-Policy",
		"default-src 'none'; img-src data:; form-action 'self'; script-src 'nonce-"+script+"'")
	c.HTML(http.StatusOK, "again", map[string]string{
		"State": c.PostForm("state"), "Token": c.PostForm("id_token"), "Script": script,
	})
}

// finish gets the form with the cookies.
func (a *shop) finish(c *gin.Context) {
	ctx := c.Request.Context()
	try, ok, err := pending.TakeOnce(ctx, sessions.GetFrom(c, a.signOns))
	if err != nil {
		fail(c, err)
		return
	}
	if !ok || try.State != c.PostForm("state") {
		c.String(http.StatusForbidden, "please start again")
		return
	}
	user, err := a.verify(ctx, c.PostForm("id_token"), try.Nonce)
	if err != nil {
		log.Print(err)
		c.String(http.StatusForbidden, "the provider has not signed you in")
		return
	}
	s := sessions.GetFrom(c, a.sessions) // the visitor's, with the cart
	if err := s.SignIn(ctx, user, sessions.SignIn{}); err != nil {
		fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, try.Return)
}

// verify returns the user whom an ID token names.
func (a *shop) verify(ctx context.Context, raw, nonce string) (user string, err error) {
	token, err := a.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		return "", err
	}
	if token.Nonce != nonce || token.Subject == "" {
		return "", errors.New("the ID token is for another login, or names nobody")
	}
	return token.Issuer + "|" + token.Subject, nil
}

func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.AbortWithStatus(core.StatusCode(err)) // 409: ended meanwhile; 503: the store failed
}
