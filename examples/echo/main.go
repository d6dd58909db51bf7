// Command echo runs the demo on Echo.
//
// What an application does with its sessions is in this file: signing in and out, the user's
// devices, asking again before something sensitive. Package demo has the pages, and whatever needs
// no framework.
package main

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	sessions "github.com/cloakroom-go/sessions/echo"
	"github.com/cloakroom-go/sessions/examples/demo"
)

// visits is a value in the session: its name and its type.
const visits = sessions.Key[int]("visits")

func main() { demo.Main("Echo", mount) }

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
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // no proxy is trusted to report client addresses
	e.Use(middleware.Recover())
	e.Use(sessions.Middleware(a.Operators()), sessions.Middleware(m), a.guard)
	reads := []string{http.MethodGet, http.MethodHead}
	e.Match(reads, "/", a.home)
	e.POST("/signin", a.signIn)
	e.POST("/signout", a.signOut)
	e.Match(reads, "/devices", a.devices)
	e.POST("/devices/revoke", a.revoke, a.signedIn, a.confirmed)
	e.POST("/devices/revoke-others", a.revokeOthers, a.signedIn, a.confirmed)
	e.Match(reads, "/confirm", a.confirmForm, a.signedIn)
	e.POST("/confirm", a.confirm, a.signedIn)
	e.Match(reads, "/password", a.passwordForm, a.signedIn, a.confirmed)
	e.POST("/password", a.changePassword, a.signedIn, a.confirmed)
	for _, route := range a.Routes(m) {
		e.Add(route.Method, route.Path, a.handle(route.Handler))
	}
	e.RouteNotFound("/*", a.handle(a.NotFound))
	return demo.NewServer(e), m, nil
}

// home counts visits. Of several requests at once each counts.
func (a app) home(c echo.Context) error {
	s := sessions.Get(c)
	n := visits.Update(s, func(n int) int { return n + 1 })
	return send(c, a.Home(s, n))
}

// signIn signs in a user by name only; a real application checks a password or a passkey first.
// SignIn gives the session a new secret and keeps the visitor's values, but not those of another
// user who was signed in before. If two clicks send the form twice, both succeed.
func (a app) signIn(c echo.Context) error {
	s := sessions.Get(c)
	form := demo.SignInForm{User: c.FormValue("user"), Remember: c.FormValue("remember") != ""}
	if !form.Valid() {
		return send(c, a.SignInAgain(s, visits.Get(s), form))
	}
	how := sessions.SignIn{Remember: form.Remember}
	if how.Remember {
		how.Expiry = 30 * 24 * time.Hour
	}
	if err := s.SignIn(c.Request().Context(), form.User, how); err != nil {
		return send(c, a.Failed(s, err))
	}
	const text = ". Your session has a new secret and kept everything else."
	return send(c, a.Done(s, "/", "Welcome, "+form.User+text))
}

// signOut ends the session. The data and the cookie are deleted, and concurrent requests cannot
// bring them back.
func (a app) signOut(c echo.Context) error {
	sessions.Get(c).Destroy()
	return send(c, demo.Redirect("/goodbye"))
}

// signedIn lets only users through who are signed in. The devices page tells others what to do.
func (a app) signedIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if sessions.Get(c).Subject() == "" {
			return send(c, demo.Redirect("/devices"))
		}
		return next(c)
	}
}

// confirmed lets only users through who have entered the pass phrase in the last five minutes, and
// asks the others for it.
func (a app) confirmed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !isConfirmed(sessions.Get(c)) {
			return send(c, demo.Redirect("/confirm?next="+demo.NextPage(c.Path())))
		}
		return next(c)
	}
}

// phraseLevel is the level of a pass phrase. Signing in has none here, because it takes a name
// only.
const phraseLevel = 1

func isConfirmed(s *sessions.Session) bool { return s.FreshLevel(phraseLevel, 5*time.Minute) }

func (a app) confirmForm(c echo.Context) error {
	return send(c, a.Confirm(sessions.Get(c), demo.NextPage(c.QueryParam("next")), ""))
}

// confirm checks the pass phrase, and notes in the session that the user has proved who they are.
func (a app) confirm(c echo.Context) error {
	s, next := sessions.Get(c), demo.NextPage(c.FormValue("next"))
	if c.FormValue("phrase") != demo.Passphrase {
		return send(c, a.Confirm(s, next, "That is not the pass phrase."))
	}
	proof := sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel}
	err := s.Confirm(c.Request().Context(), proof)
	switch {
	case err == nil:
		return send(c, a.Done(s, next, "Thank you. You will not be asked again for five minutes."))
	case demo.SentTwice(s):
		return send(c, demo.Redirect(next))
	default:
		return send(c, a.Failed(s, err))
	}
}

// devices lists where the user is signed in.
func (a app) devices(c echo.Context) error {
	s := sessions.Get(c)
	var list []sessions.Info
	var err error
	if s.Subject() != "" {
		list, err = a.sessions.List(c.Request().Context(), s.Subject())
	}
	return send(c, a.Devices(s, list, err, isConfirmed(s)))
}

// revoke signs out one of the user's devices. A session of another user counts as absent.
func (a app) revoke(c echo.Context) error {
	s, id := sessions.Get(c), c.FormValue("id")
	if id == s.ID() {
		return a.signOut(c)
	}
	if err := a.sessions.Revoke(c.Request().Context(), s.Subject(), id); err != nil {
		return send(c, a.Failed(s, err))
	}
	return send(c, a.Done(s, "/devices", "That device is signed out."))
}

// revokeOthers signs out all of the user's devices but this one.
func (a app) revokeOthers(c echo.Context) error {
	s := sessions.Get(c)
	n, err := a.sessions.RevokeOthers(c.Request().Context(), s)
	if err != nil {
		return send(c, a.Failed(s, err))
	}
	return send(c, a.Done(s, "/devices", demo.SignedOut(n)))
}

func (a app) passwordForm(c echo.Context) error {
	return send(c, a.NewPassphrase(sessions.Get(c), ""))
}

// changePassword gives this session a new secret, so that a copy of its cookie opens nothing, and
// ends all others of the user, so that nobody stays signed in who knew only the old pass phrase.
func (a app) changePassword(c echo.Context) error {
	s, ctx := sessions.Get(c), c.Request().Context()
	if len(c.FormValue("phrase")) < 8 {
		return send(c, a.NewPassphrase(s, "Please enter at least 8 characters."))
	}
	// Store the new pass phrase here.
	n, err := 0, s.Confirm(ctx, sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel})
	if err == nil {
		n, err = a.sessions.RevokeOthers(ctx, s)
	}
	switch {
	case err == nil:
		const text = " This one has a new secret. The pass phrase is still the demo’s."
		return send(c, a.Done(s, "/devices", demo.SignedOut(n)+text))
	case demo.SentTwice(s):
		return send(c, demo.Redirect("/devices"))
	default:
		return send(c, a.Failed(s, err))
	}
}

// guard refuses forms that another site has sent.
func (a app) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if page, refused := a.Refused(sessions.Get(c), a.request(c)); refused {
			return send(c, page)
		}
		return next(c)
	}
}

// handle returns a handler for the routes of package demo.
func (a app) handle(h demo.Handler) echo.HandlerFunc {
	return func(c echo.Context) error { return send(c, h(sessions.Get(c), a.request(c))) }
}

// request returns what package demo needs of a request. The operator has a session of their own:
// several managers serve the same request, and GetFrom tells their sessions apart.
func (a app) request(c echo.Context) demo.Request {
	r := c.Request()
	return demo.Request{
		Context: r.Context(), Method: r.Method, Path: r.URL.Path, Host: r.Host,
		Header: r.Header.Get, Query: c.QueryParam, Field: r.PostFormValue,
		Operator: sessions.GetFrom(c, a.Operators()),
	}
}

// send sends a response. The middleware saves the session before its first byte.
func send(c echo.Context, res demo.Response) error {
	for name, value := range res.Header {
		c.Response().Header().Set(name, value)
	}
	if res.Stream == nil {
		return c.Blob(res.Status, res.Header["Content-Type"], res.Body)
	}
	c.Response().WriteHeader(res.Status)
	res.Stream(c.Request().Context(), func(piece string) error {
		_, err := c.Response().Write([]byte(piece))
		c.Response().Flush()
		return err
	})
	return nil
}
