// Command gin runs the demo on Gin.
//
// What an application does with its sessions is in this file: signing in and out, the user's
// devices, asking again before something sensitive. Package demo has the pages, and whatever needs
// no framework.
package main

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// visits is a value in the session: its name and its type.
const visits = sessions.Key[int]("visits")

func main() { demo.Main("Gin", mount) }

// app has what the handlers need.
type app struct {
	*demo.App

	sessions *sessions.Manager
}

// mount makes the manager and mounts the middleware before the routes.
func mount(shared *demo.App) (demo.Server, *sessions.Manager, error) {
	m, err := sessions.NewManager(sessions.Options{
		Store:        shared.Store, // in memory, SQL, Redis: nothing else depends on it
		StoreTimeout: shared.StoreTimeout,
		Expiry:       24 * time.Hour, // without use
		OnEvent:      shared.Record,

		// The browser drops the cookie when it is closed, unless the user asks to be remembered.
		// DisableSecure is for plain HTTP on localhost, where Safari and curl need it.
		Cookie: sessions.Cookie{SessionOnly: true, DisableSecure: true},
	})
	if err != nil {
		return nil, nil, err
	}
	a := app{shared, m}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	_ = r.SetTrustedProxies(nil) // no proxy is trusted to report client addresses
	r.Use(gin.Recovery(), sessions.Middleware(a.Operators()), sessions.Middleware(m), a.guard)
	reads := []string{http.MethodGet, http.MethodHead}
	r.Match(reads, "/", a.home)
	r.POST("/signin", a.signIn)
	r.POST("/signout", a.signOut)
	r.Match(reads, "/devices", a.devices)
	r.POST("/devices/revoke", a.signedIn, a.confirmed, a.revoke)
	r.POST("/devices/revoke-others", a.signedIn, a.confirmed, a.revokeOthers)
	r.Match(reads, "/confirm", a.signedIn, a.confirmForm)
	r.POST("/confirm", a.signedIn, a.confirm)
	r.Match(reads, "/password", a.signedIn, a.confirmed, a.passwordForm)
	r.POST("/password", a.signedIn, a.confirmed, a.changePassword)
	for _, route := range a.Routes(m) {
		r.Handle(route.Method, route.Path, a.handle(route.Handler))
	}
	r.NoRoute(a.handle(a.NotFound))
	return demo.NewServer(r), m, nil
}

// home counts visits. Of several requests at once each counts.
func (a app) home(c *gin.Context) {
	s := sessions.Get(c)
	n := visits.Update(s, func(n int) int { return n + 1 })
	send(c, a.Home(s, n))
}

// signIn signs in a user by name only; a real application checks a password or a passkey first.
// SignIn gives the session a new secret and keeps the visitor's values, but not those of another
// user who was signed in before. If two clicks send the form twice, both succeed.
func (a app) signIn(c *gin.Context) {
	s := sessions.Get(c)
	form := demo.SignInForm{User: c.PostForm("user"), Remember: c.PostForm("remember") != ""}
	if !form.Valid() {
		send(c, a.SignInAgain(s, visits.Get(s), form))
		return
	}
	how := sessions.SignIn{Remember: form.Remember}
	if how.Remember {
		how.Expiry = 30 * 24 * time.Hour
	}
	if err := s.SignIn(c.Request.Context(), form.User, how); err != nil {
		send(c, a.Failed(s, err))
		return
	}
	const text = ". Your session has a new secret and kept everything else."
	send(c, a.Done(s, "/", "Welcome, "+form.User+text))
}

// signOut ends the session. The data and the cookie are deleted, and concurrent requests cannot
// bring them back.
func (a app) signOut(c *gin.Context) {
	sessions.Get(c).Destroy()
	send(c, demo.Redirect("/goodbye"))
}

// signedIn lets only users through who are signed in. The devices page tells others what to do.
func (a app) signedIn(c *gin.Context) {
	if sessions.Get(c).Subject() == "" {
		send(c, demo.Redirect("/devices"))
		c.Abort()
	}
}

// confirmed lets only users through who have entered the pass phrase in the last five minutes, and
// asks the others for it.
func (a app) confirmed(c *gin.Context) {
	if !isConfirmed(sessions.Get(c)) {
		send(c, demo.Redirect("/confirm?next="+demo.NextPage(c.Request.URL.Path)))
		c.Abort()
	}
}

// phraseLevel is the level of a pass phrase. Signing in has none here, because it takes a name
// only.
const phraseLevel = 1

func isConfirmed(s *sessions.Session) bool { return s.FreshLevel(phraseLevel, 5*time.Minute) }

func (a app) confirmForm(c *gin.Context) {
	send(c, a.Confirm(sessions.Get(c), demo.NextPage(c.Query("next")), ""))
}

// confirm checks the pass phrase, and notes in the session that the user has proved who they are.
func (a app) confirm(c *gin.Context) {
	s, next := sessions.Get(c), demo.NextPage(c.PostForm("next"))
	if c.PostForm("phrase") != demo.Passphrase {
		send(c, a.Confirm(s, next, "That is not the pass phrase."))
		return
	}
	proof := sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel}
	err := s.Confirm(c.Request.Context(), proof)
	switch {
	case err == nil:
		send(c, a.Done(s, next, "Thank you. You will not be asked again for five minutes."))
	case demo.SentTwice(s):
		send(c, demo.Redirect(next))
	default:
		send(c, a.Failed(s, err))
	}
}

// devices lists where the user is signed in.
func (a app) devices(c *gin.Context) {
	s := sessions.Get(c)
	var list []sessions.Info
	var err error
	if s.Subject() != "" {
		list, err = a.sessions.List(c.Request.Context(), s.Subject())
	}
	send(c, a.Devices(s, list, err, isConfirmed(s)))
}

// revoke signs out one of the user's devices. A session of another user counts as absent.
func (a app) revoke(c *gin.Context) {
	s, id := sessions.Get(c), c.PostForm("id")
	if id == s.ID() {
		a.signOut(c)
		return
	}
	if err := a.sessions.Revoke(c.Request.Context(), s.Subject(), id); err != nil {
		send(c, a.Failed(s, err))
		return
	}
	send(c, a.Done(s, "/devices", "That device is signed out."))
}

// revokeOthers signs out all of the user's devices but this one.
func (a app) revokeOthers(c *gin.Context) {
	s := sessions.Get(c)
	n, err := a.sessions.RevokeOthers(c.Request.Context(), s)
	if err != nil {
		send(c, a.Failed(s, err))
		return
	}
	send(c, a.Done(s, "/devices", demo.SignedOut(n)))
}

func (a app) passwordForm(c *gin.Context) { send(c, a.NewPassphrase(sessions.Get(c), "")) }

// changePassword gives this session a new secret, so that a copy of its cookie opens nothing, and
// ends all others of the user, so that nobody stays signed in who knew only the old pass phrase.
func (a app) changePassword(c *gin.Context) {
	s, ctx := sessions.Get(c), c.Request.Context()
	if len(c.PostForm("phrase")) < 8 {
		send(c, a.NewPassphrase(s, "Please enter at least 8 characters."))
		return
	}
	// Store the new pass phrase here.
	n, err := 0, s.Confirm(ctx, sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel})
	if err == nil {
		n, err = a.sessions.RevokeOthers(ctx, s)
	}
	switch {
	case err == nil:
		const text = " This one has a new secret. The pass phrase is still the demo’s."
		send(c, a.Done(s, "/devices", demo.SignedOut(n)+text))
	case demo.SentTwice(s):
		send(c, demo.Redirect("/devices"))
	default:
		send(c, a.Failed(s, err))
	}
}

// guard refuses forms that another site has sent.
func (a app) guard(c *gin.Context) {
	if page, refused := a.Refused(sessions.Get(c), a.request(c)); refused {
		send(c, page)
		c.Abort()
	}
}

// handle returns a handler for the routes of package demo.
func (a app) handle(h demo.Handler) gin.HandlerFunc {
	return func(c *gin.Context) { send(c, h(sessions.Get(c), a.request(c))) }
}

// request returns what package demo needs of a request. The operator has a session of their own:
// several managers serve the same request, and GetFrom tells their sessions apart.
func (a app) request(c *gin.Context) demo.Request {
	r := c.Request
	return demo.Request{
		Context: r.Context(), Method: r.Method, Path: r.URL.Path, Host: r.Host,
		Header: c.GetHeader, Query: c.Query, Field: c.PostForm,
		Operator: sessions.GetFrom(c, a.Operators()),
	}
}

// send sends a response. The middleware saves the session before its first byte.
func send(c *gin.Context, res demo.Response) {
	for name, value := range res.Header {
		c.Header(name, value)
	}
	if res.Stream == nil {
		c.Data(res.Status, res.Header["Content-Type"], res.Body)
		return
	}
	c.Status(res.Status)
	res.Stream(c.Request.Context(), func(piece string) error {
		_, err := c.Writer.WriteString(piece)
		c.Writer.Flush()
		return err
	})
}
