// Command accounts contains the recipes of docs/accounts.md in one small program on Gin. The
// password of all users is "open sesame", and the code from their phones is 123456.
package main

import (
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	m, err := sessions.NewManager(options())
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("the policy in force:\n%s", m.Policy())
	log.Fatal(app(m).Run("localhost:8080"))
}

func options() sessions.Options {
	return sessions.Options{
		Expiry:        time.Hour,           // signed out after an hour without a click
		Lifetime:      30 * 24 * time.Hour, // and after thirty days in any case
		RenewEvery:    15 * time.Minute,    // a copied cookie is worth little for long
		RevokeOnReuse: true,                // and its use ends the session
		MaxSessions:   5,                   // devices a user may be signed in on; the oldest goes

		// DisableSecure is for plain HTTP on localhost only.
		Cookie: sessions.Cookie{SessionOnly: true, DisableSecure: true},
	}
}

func app(m *sessions.Manager) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	a := &accounts{sessions: m}
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // There is no proxy: only the connection says where a device is.
	r.Use(gin.Recovery(), sessions.Middleware(m))
	r.POST("/login", a.login)
	r.POST("/logout", a.logout)
	r.GET("/connect", a.connect)
	r.GET("/connected", a.connected)
	in := r.Group("/", signedIn)
	in.GET("/clock", a.clock)
	in.GET("/live", a.live)
	in.GET("/mail", a.mail)
	in.GET("/me", a.me)
	in.POST("/act-as", a.actAs)
	r.POST("/stop-acting", a.stopActing) // also in a session that has just ended
	in.POST("/upload", a.upload)
	in.POST("/step-up", a.stepUp)
	in.GET("/devices", a.devices)
	fresh := in.Group("/", confirmed)
	fresh.POST("/password", a.changePassword)
	fresh.POST("/devices/:id/revoke", a.revoke)
	fresh.POST("/devices/revoke-others", a.revokeOthers)
	return r
}

type accounts struct {
	sessions  *sessions.Manager
	refreshed atomic.Int64
}

const (
	oauthState = sessions.Key[string]("oauth state")
	token      = sessions.Key[string]("access token")
	refresh    = sessions.Key[sessions.Lease]("refresh")
)

// passwordOK and codeOK take the place of the application's own checks.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }

func codeOK(code string) bool { return code == "123456" }

func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.AbortWithStatus(core.StatusCode(err)) // 409: ended meanwhile; 503: the store failed
}

func (a *accounts) login(c *gin.Context) {
	s, user := sessions.Get(c), c.PostForm("user")
	start, err := a.sessions.StartProof(c.Request.Context(), user)
	if err != nil {
		fail(c, err)
		return
	}
	if !passwordOK(user, c.PostForm("password")) {
		c.String(http.StatusUnauthorized, "wrong name or password")
		return
	}
	how := sessions.SignIn{
		Auth:     sessions.Auth{Methods: []string{"pwd"}, Level: 1, Start: start},
		Remember: c.PostForm("remember") != "",
	}
	if how.Remember {
		how.Expiry = 30 * 24 * time.Hour
	}
	if id := c.PostForm("instead"); id != "" { // The user has chosen which device gives way.
		_ = a.sessions.Revoke(c.Request.Context(), user, id)
	}
	err = s.SignIn(c.Request.Context(), user, how)
	if errors.Is(err, sessions.ErrLimit) { // only with OnLimit: RefuseLogin
		// The password was right, so the list may be shown.
		page := "signed in on too many devices; which one gives way?\n"
		a.listDevices(c, user, http.StatusConflict, page)
		return
	}
	if err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "signed in as "+user)
}

// upload takes a long time. Meanwhile the user may have been signed out.
func (a *accounts) upload(c *gin.Context) {
	file, err := io.ReadAll(c.Request.Body)
	if err != nil {
		fail(c, err)
		return
	}
	if err := sessions.Get(c).Check(c.Request.Context()); err != nil {
		fail(c, err) // ErrGone: signed out meanwhile; ErrStore: it is not known
		return
	}
	c.String(http.StatusOK, "%d bytes kept", len(file))
}

func (a *accounts) logout(c *gin.Context) {
	sessions.Get(c).Destroy()
	c.String(http.StatusOK, "signed out")
}

// signedIn is a middleware that requires a user who is signed in.
func signedIn(c *gin.Context) {
	if sessions.Get(c).Subject() == "" {
		c.String(http.StatusUnauthorized, "please sign in")
		c.Abort()
	}
}

// confirmed is a middleware that requires a login or a code in the last five minutes.
func confirmed(c *gin.Context) {
	if !sessions.Get(c).Fresh(5 * time.Minute) {
		c.String(http.StatusForbidden, "please confirm with your code")
		c.Abort()
	}
}

func (a *accounts) stepUp(c *gin.Context) {
	if !codeOK(c.PostForm("code")) {
		c.String(http.StatusForbidden, "wrong code")
		return
	}
	proof := sessions.Auth{Methods: []string{"otp"}, Level: 2}
	if err := sessions.Get(c).Confirm(c.Request.Context(), proof); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "confirmed")
}

func (a *accounts) changePassword(c *gin.Context) {
	s := sessions.Get(c)
	// Store the new password here. Then nobody stays signed in who knew only the old one.
	if _, err := a.sessions.RevokeOthers(c.Request.Context(), s); err != nil {
		fail(c, err)
		return
	}
	// Typing the password was a proof of who they are. The new secret also shuts out anybody who
	// has a copy of this device's cookie.
	proof := sessions.Auth{Methods: []string{"pwd"}}
	if err := s.Confirm(c.Request.Context(), proof); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "password changed, other devices signed out")
}

func (a *accounts) devices(c *gin.Context) {
	a.listDevices(c, sessions.Get(c).Subject(), http.StatusOK, "")
}

// listDevices answers with the user's devices below a title.
func (a *accounts) listDevices(c *gin.Context, user string, status int, title string) {
	s := sessions.Get(c)
	list, err := a.sessions.List(c.Request.Context(), user)
	if err != nil {
		fail(c, err)
		return
	}
	var page strings.Builder
	for i := range list {
		here := ""
		if list[i].ID == s.ID() {
			here = " (this device)"
		}
		page.WriteString(list[i].ID + " " + list[i].IP + " " + list[i].UserAgent + here + "\n")
	}
	c.String(status, "%s%s", title, page.String())
}

func (a *accounts) revoke(c *gin.Context) {
	err := a.sessions.Revoke(c.Request.Context(), sessions.Get(c).Subject(), c.Param("id"))
	if errors.Is(err, sessions.ErrNotFound) { // somebody else's counts as not there
		c.String(http.StatusNotFound, "no such device")
		return
	}
	if err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "signed out there")
}

func (a *accounts) revokeOthers(c *gin.Context) {
	if _, err := a.sessions.RevokeOthers(c.Request.Context(), sessions.Get(c)); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "signed out everywhere else")
}

// actAs lets a member of the support team see what a user sees.
func (a *accounts) actAs(c *gin.Context) {
	s, user := sessions.Get(c), c.PostForm("user")
	if !mayActAs(s.Subject(), user) {
		c.String(http.StatusForbidden, "not you")
		return
	}
	if err := s.ActAs(c.Request.Context(), user); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "acting for %s", user)
}

// mayActAs takes the place of the application's own check.
func mayActAs(operator, user string) bool { return operator == "support" && user != "admin" }

func (a *accounts) stopActing(c *gin.Context) {
	if err := sessions.Get(c).StopActing(c.Request.Context()); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "back as %s", sessions.Get(c).Subject())
}

func (a *accounts) me(c *gin.Context) {
	s := sessions.Get(c)
	if by := s.Auth().Actor; by != "" {
		c.String(http.StatusOK, "%s as ", by)
	}
	remaining := s.Remaining().Round(time.Minute)
	c.String(http.StatusOK, "%s, signed in for another %s", s.Subject(), remaining)
}

// connect sends the user to a provider, who sends them back with the state.
func (a *accounts) connect(c *gin.Context) {
	state := rand.Text()
	if err := oauthState.Set(sessions.Get(c), state); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "%s", state)
}

// connected is where the provider sends them. Each state is accepted once.
func (a *accounts) connected(c *gin.Context) {
	state, ok, err := oauthState.TakeOnce(c.Request.Context(), sessions.Get(c))
	if err != nil {
		fail(c, err)
		return
	}
	if !ok || state != c.Query("state") {
		c.String(http.StatusForbidden, "please start again")
		return
	}
	c.String(http.StatusOK, "connected")
}

// clock is asked by the page once a minute.
func (a *accounts) clock(c *gin.Context) {
	s := sessions.Get(c)
	s.Passive() // The page asks, not the user: this keeps nobody signed in.
	c.String(http.StatusOK, "signed in for another %s", s.Remaining().Round(time.Minute))
}

// live streams news until the session ends.
func (a *accounts) live(c *gin.Context) {
	s, ctx := sessions.Get(c), c.Request.Context()
	c.Stream(func(w io.Writer) bool {
		if err := s.KeepAlive(ctx); errors.Is(err, sessions.ErrGone) {
			return false // signed out elsewhere
		}
		_, _ = io.WriteString(w, "still there\n")
		select {
		case <-time.After(newsEvery):
			return true
		case <-ctx.Done():
			return false
		}
	})
}

const newsEvery = 30 * time.Second

// mail uses an access token, which is refreshed by one request even if several find it outdated.
func (a *accounts) mail(c *gin.Context) {
	s := sessions.Get(c)
	err := sessions.Once(c.Request.Context(), s, refresh, 10*time.Second, func() error {
		if token.Get(s) != "" { // Another request has refreshed it before this one began.
			return nil
		}
		return token.Set(s, a.refreshToken())
	})
	if err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "mail with token %s", token.Get(s))
}

// refreshToken takes the place of a call of the provider, who accepts each only once.
func (a *accounts) refreshToken() string {
	return strconv.FormatInt(a.refreshed.Add(1), 10)
}
