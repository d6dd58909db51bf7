// Command fiberv3 runs the demo on Fiber v3.
//
// What an application does with its sessions is in this file: signing in and out, the user's
// devices, asking again before something sensitive. Package demo has the pages, and whatever needs
// no framework.
package main

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// visits is a value in the session: its name and its type.
const visits = sessions.Key[int]("visits")

func main() { demo.Main("Fiber v3", mount) }

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
	f := fiber.New(fiber.Config{BodyLimit: 64 << 10, IdleTimeout: 2 * time.Minute})
	f.Use(recover.New(), sessions.Middleware(a.Operators()), sessions.Middleware(m), a.guard)
	reads := []string{fiber.MethodGet, fiber.MethodHead} // HEAD, too, before NotFound
	f.Add(reads, "/", a.home)
	f.Post("/signin", a.signIn)
	f.Post("/signout", a.signOut)
	f.Add(reads, "/devices", a.devices)
	f.Post("/devices/revoke", a.signedIn, a.confirmed, a.revoke)
	f.Post("/devices/revoke-others", a.signedIn, a.confirmed, a.revokeOthers)
	f.Add(reads, "/confirm", a.signedIn, a.confirmForm)
	f.Post("/confirm", a.signedIn, a.confirm)
	f.Add(reads, "/password", a.signedIn, a.confirmed, a.passwordForm)
	f.Post("/password", a.signedIn, a.confirmed, a.changePassword)
	for _, route := range a.Routes(m) {
		f.Add([]string{route.Method}, route.Path, a.handle(route.Handler))
	}
	f.Use(a.handle(a.NotFound))
	return server{f}, m, nil
}

// home counts visits. Of several requests at once each counts.
func (a app) home(c fiber.Ctx) error {
	s := sessions.Get(c)
	n := visits.Update(s, func(n int) int { return n + 1 })
	return send(c, a.Home(s, n))
}

// signIn signs in a user by name only; a real application checks a password or a passkey first.
// SignIn gives the session a new secret and keeps the visitor's values, but not those of another
// user who was signed in before. If two clicks send the form twice, both succeed.
func (a app) signIn(c fiber.Ctx) error {
	s := sessions.Get(c)
	form := demo.SignInForm{User: c.FormValue("user"), Remember: c.FormValue("remember") != ""}
	if !form.Valid() {
		return send(c, a.SignInAgain(s, visits.Get(s), form))
	}
	how := sessions.SignIn{Remember: form.Remember}
	if how.Remember {
		how.Expiry = 30 * 24 * time.Hour
	}
	if err := s.SignIn(c.Context(), form.User, how); err != nil {
		return send(c, a.Failed(s, err))
	}
	const text = ". Your session has a new secret and kept everything else."
	return send(c, a.Done(s, "/", "Welcome, "+form.User+text))
}

// signOut ends the session. The data and the cookie are deleted, and concurrent requests cannot
// bring them back.
func (a app) signOut(c fiber.Ctx) error {
	sessions.Get(c).Destroy()
	return send(c, demo.Redirect("/goodbye"))
}

// signedIn lets only users through who are signed in. The devices page tells others what to do.
func (a app) signedIn(c fiber.Ctx) error {
	if sessions.Get(c).Subject() == "" {
		return send(c, demo.Redirect("/devices"))
	}
	return c.Next()
}

// confirmed lets only users through who have entered the pass phrase in the last five minutes, and
// asks the others for it.
func (a app) confirmed(c fiber.Ctx) error {
	if !isConfirmed(sessions.Get(c)) {
		return send(c, demo.Redirect("/confirm?next="+demo.NextPage(c.Path())))
	}
	return c.Next()
}

// phraseLevel is the level of a pass phrase. Signing in has none here, because it takes a name
// only.
const phraseLevel = 1

func isConfirmed(s *sessions.Session) bool { return s.FreshLevel(phraseLevel, 5*time.Minute) }

func (a app) confirmForm(c fiber.Ctx) error {
	return send(c, a.Confirm(sessions.Get(c), demo.NextPage(c.Query("next")), ""))
}

// confirm checks the pass phrase, and notes in the session that the user has proved who they are.
func (a app) confirm(c fiber.Ctx) error {
	s, next := sessions.Get(c), demo.NextPage(c.FormValue("next"))
	if c.FormValue("phrase") != demo.Passphrase {
		return send(c, a.Confirm(s, next, "That is not the pass phrase."))
	}
	proof := sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel}
	err := s.Confirm(c.Context(), proof)
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
func (a app) devices(c fiber.Ctx) error {
	s := sessions.Get(c)
	var list []sessions.Info
	var err error
	if s.Subject() != "" {
		list, err = a.sessions.List(c.Context(), s.Subject())
	}
	return send(c, a.Devices(s, list, err, isConfirmed(s)))
}

// revoke signs out one of the user's devices. A session of another user counts as absent.
func (a app) revoke(c fiber.Ctx) error {
	s, id := sessions.Get(c), c.FormValue("id")
	if id == s.ID() {
		return a.signOut(c)
	}
	if err := a.sessions.Revoke(c.Context(), s.Subject(), id); err != nil {
		return send(c, a.Failed(s, err))
	}
	return send(c, a.Done(s, "/devices", "That device is signed out."))
}

// revokeOthers signs out all of the user's devices but this one.
func (a app) revokeOthers(c fiber.Ctx) error {
	s := sessions.Get(c)
	n, err := a.sessions.RevokeOthers(c.Context(), s)
	if err != nil {
		return send(c, a.Failed(s, err))
	}
	return send(c, a.Done(s, "/devices", demo.SignedOut(n)))
}

func (a app) passwordForm(c fiber.Ctx) error {
	return send(c, a.NewPassphrase(sessions.Get(c), ""))
}

// changePassword gives this session a new secret, so that a copy of its cookie opens nothing, and
// ends all others of the user, so that nobody stays signed in who knew only the old pass phrase.
func (a app) changePassword(c fiber.Ctx) error {
	s, ctx := sessions.Get(c), c.Context()
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
func (a app) guard(c fiber.Ctx) error {
	if page, refused := a.Refused(sessions.Get(c), a.request(c)); refused {
		return send(c, page)
	}
	return c.Next()
}

// handle returns a handler for the routes of package demo.
func (a app) handle(h demo.Handler) fiber.Handler {
	return func(c fiber.Ctx) error { return send(c, h(sessions.Get(c), a.request(c))) }
}

// request returns what package demo needs of a request. The operator has a session of their own:
// several managers serve the same request, and GetFrom tells their sessions apart.
func (a app) request(c fiber.Ctx) demo.Request {
	r := c.Request()
	return demo.Request{
		Context: c.Context(), Method: c.Method(), Path: c.Path(), Host: string(r.Host()),
		Header:   func(name string) string { return c.Get(name) },
		Query:    func(name string) string { return c.Query(name) },
		Field:    func(name string) string { return string(r.PostArgs().Peek(name)) },
		Operator: sessions.GetFrom(c, a.Operators()),
	}
}

// send sends a response. The middleware saves the session before its first byte.
func send(c fiber.Ctx, res demo.Response) error {
	for name, value := range res.Header {
		c.Set(name, value)
	}
	c.Status(res.Status)
	if res.Stream == nil {
		return c.Send(res.Body)
	}
	ctx := c.Context()
	return c.SendStreamWriter(func(w *bufio.Writer) { // It must not use c, which Fiber reuses.
		res.Stream(ctx, func(piece string) error {
			_, _ = w.WriteString(piece)
			return w.Flush() // also returns the error of WriteString
		})
	})
}

// server implements demo.Server with a Fiber app.
type server struct{ fiber *fiber.App }

// Serve serves until Shutdown is called.
func (s server) Serve(l net.Listener) error {
	return s.fiber.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}

// Shutdown waits for the current requests to end.
func (s server) Shutdown(ctx context.Context) error { return s.fiber.ShutdownWithContext(ctx) }
