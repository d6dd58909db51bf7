// Command accounts contains the recipes of docs/accounts.md in one small program on Gin. The
// password of all users is "open sesame", and the code from their phones is 123456.
package main

import (
	"errors"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

func main() {
	m, err := sessions.NewManager(options())
	if err != nil {
		log.Fatal(err)
	}
	log.Print("the policy in force:\n" + m.Policy())
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
	in := r.Group("/", signedIn)
	in.GET("/me", a.me)
	in.POST("/step-up", a.stepUp)
	in.GET("/devices", a.devices)
	fresh := in.Group("/", confirmed)
	fresh.POST("/password", a.changePassword)
	fresh.POST("/devices/:id/revoke", a.revoke)
	fresh.POST("/devices/revoke-others", a.revokeOthers)
	return r
}

type accounts struct{ sessions *sessions.Manager }

// passwordOK and codeOK take the place of the application's own checks.
func passwordOK(user, password string) bool { return user != "" && password == "open sesame" }

func codeOK(code string) bool { return code == "123456" }

func fail(c *gin.Context, err error) {
	_ = c.Error(err)
	c.AbortWithStatus(http.StatusInternalServerError)
}

func (a *accounts) login(c *gin.Context) {
	s, user := sessions.Get(c), c.PostForm("user")
	if !passwordOK(user, c.PostForm("password")) {
		c.String(http.StatusUnauthorized, "wrong name or password")
		return
	}
	if err := enter(s, user, c.PostForm("remember") != ""); err != nil {
		fail(c, err)
		return
	}
	err := sessions.Commit(c)
	if errors.Is(err, sessions.ErrLimit) { // only with OnLimit: RefuseLogin
		c.String(http.StatusConflict, "signed in on too many devices; sign out on one first")
		return
	}
	if err != nil { // ErrGone: another login or a logout was faster; else the store failed
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "signed in as "+user)
}

// enter logs in a user, without the data of another user who was logged in before.
func enter(s *sessions.Session, user string, remember bool) error {
	if s.Subject() != "" && s.Subject() != user {
		if err := s.Clear(); err != nil { // what the one before kept is not for this one
			return err
		}
	}
	if err := s.LoginWith(user, sessions.Auth{Methods: []string{"pwd"}, Level: 1}); err != nil {
		return err
	}
	var expiry time.Duration // 0: that of the options
	if remember {
		expiry = 30 * 24 * time.Hour
	}
	// Not only for who ticked the box: the choice of the login before would stay.
	return errors.Join(s.Remember(remember), s.SetExpiry(expiry))
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
	if err := sessions.Get(c).StepUp(proof); err != nil {
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
	if err := s.StepUp(sessions.Auth{Methods: []string{"pwd"}}); err != nil {
		fail(c, err)
		return
	}
	c.String(http.StatusOK, "password changed, other devices signed out")
}

func (a *accounts) devices(c *gin.Context) {
	s := sessions.Get(c)
	list, err := a.sessions.List(c.Request.Context(), s.Subject())
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
	c.String(http.StatusOK, "%s", page.String())
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

func (a *accounts) me(c *gin.Context) {
	s := sessions.Get(c)
	remaining := s.Remaining().Round(time.Minute)
	c.String(http.StatusOK, "%s, signed in for another %s", s.Subject(), remaining)
}
