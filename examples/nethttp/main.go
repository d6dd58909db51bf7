// Command nethttp runs the demo on net/http.
//
// What an application does with its sessions is in this file: signing in and out, the user's
// devices, asking again before something sensitive. Package demo has the pages, and whatever needs
// no framework.
package main

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/examples/demo"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// visits is a value in the session: its name and its type.
const visits = sessions.Key[int]("visits")

func main() { demo.Main("net/http", mount) }

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
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home) // the page itself, without what is below
	mux.HandleFunc("POST /signin", a.signIn)
	mux.HandleFunc("POST /signout", a.signOut)
	mux.HandleFunc("GET /devices", a.devices)
	mux.HandleFunc("POST /devices/revoke", a.confirmed(a.revoke))
	mux.HandleFunc("POST /devices/revoke-others", a.confirmed(a.revokeOthers))
	mux.HandleFunc("GET /confirm", a.signedIn(a.confirmForm))
	mux.HandleFunc("POST /confirm", a.signedIn(a.confirm))
	mux.HandleFunc("GET /password", a.confirmed(a.passwordForm))
	mux.HandleFunc("POST /password", a.confirmed(a.changePassword))
	for _, route := range a.Routes(m) {
		mux.HandleFunc(route.Method+" "+route.Path, a.handle(route.Handler))
	}
	mux.HandleFunc("/", a.handle(a.NotFound))
	operator, session := sessions.Middleware(a.Operators()), sessions.Middleware(m)
	return demo.NewServer(operator(session(a.guard(mux)))), m, nil
}

// home counts visits. Of several requests at once each counts.
func (a app) home(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	n := visits.Update(s, func(n int) int { return n + 1 })
	send(w, r, a.Home(s, n))
}

// signIn signs in a user by name only; a real application checks a password or a passkey first.
// SignIn gives the session a new secret and keeps the visitor's values, but not those of another
// user who was signed in before. If two clicks send the form twice, both succeed.
func (a app) signIn(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	remember := r.PostFormValue("remember") != ""
	form := demo.SignInForm{User: r.PostFormValue("user"), Remember: remember}
	if !form.Valid() {
		send(w, r, a.SignInAgain(s, visits.Get(s), form))
		return
	}
	how := sessions.SignIn{Remember: form.Remember}
	if how.Remember {
		how.Expiry = 30 * 24 * time.Hour
	}
	if err := s.SignIn(r.Context(), form.User, how); err != nil {
		send(w, r, a.Failed(s, err))
		return
	}
	const text = ". Your session has a new secret and kept everything else."
	send(w, r, a.Done(s, "/", "Welcome, "+form.User+text))
}

// signOut ends the session. The data and the cookie are deleted, and concurrent requests cannot
// bring them back.
func (a app) signOut(w http.ResponseWriter, r *http.Request) {
	sessions.Get(r).Destroy()
	send(w, r, demo.Redirect("/goodbye"))
}

// signedIn lets only users through who are signed in. The devices page tells others what to do.
func (a app) signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if sessions.Get(r).Subject() == "" {
			send(w, r, demo.Redirect("/devices"))
			return
		}
		next(w, r)
	}
}

// confirmed lets only users through who have entered the pass phrase in the last five minutes, and
// asks the others for it.
func (a app) confirmed(next http.HandlerFunc) http.HandlerFunc {
	return a.signedIn(func(w http.ResponseWriter, r *http.Request) {
		if !isConfirmed(sessions.Get(r)) {
			send(w, r, demo.Redirect("/confirm?next="+demo.NextPage(r.URL.Path)))
			return
		}
		next(w, r)
	})
}

// phraseLevel is the level of a pass phrase. Signing in has none here, because it takes a name
// only.
const phraseLevel = 1

func isConfirmed(s *sessions.Session) bool { return s.FreshLevel(phraseLevel, 5*time.Minute) }

func (a app) confirmForm(w http.ResponseWriter, r *http.Request) {
	send(w, r, a.Confirm(sessions.Get(r), demo.NextPage(r.FormValue("next")), ""))
}

// confirm checks the pass phrase, and notes in the session that the user has proved who they are.
func (a app) confirm(w http.ResponseWriter, r *http.Request) {
	s, next := sessions.Get(r), demo.NextPage(r.PostFormValue("next"))
	if r.PostFormValue("phrase") != demo.Passphrase {
		send(w, r, a.Confirm(s, next, "That is not the pass phrase."))
		return
	}
	proof := sessions.Auth{Methods: []string{"pwd"}, Level: phraseLevel}
	err := s.Confirm(r.Context(), proof)
	switch {
	case err == nil:
		send(w, r, a.Done(s, next, "Thank you. You will not be asked again for five minutes."))
	case demo.SentTwice(s):
		send(w, r, demo.Redirect(next))
	default:
		send(w, r, a.Failed(s, err))
	}
}

// devices lists where the user is signed in.
func (a app) devices(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	var list []sessions.Info
	var err error
	if s.Subject() != "" {
		list, err = a.sessions.List(r.Context(), s.Subject())
	}
	send(w, r, a.Devices(s, list, err, isConfirmed(s)))
}

// revoke signs out one of the user's devices. A session of another user counts as absent.
func (a app) revoke(w http.ResponseWriter, r *http.Request) {
	s, id := sessions.Get(r), r.PostFormValue("id")
	if id == s.ID() {
		a.signOut(w, r)
		return
	}
	if err := a.sessions.Revoke(r.Context(), s.Subject(), id); err != nil {
		send(w, r, a.Failed(s, err))
		return
	}
	send(w, r, a.Done(s, "/devices", "That device is signed out."))
}

// revokeOthers signs out all of the user's devices but this one.
func (a app) revokeOthers(w http.ResponseWriter, r *http.Request) {
	s := sessions.Get(r)
	n, err := a.sessions.RevokeOthers(r.Context(), s)
	if err != nil {
		send(w, r, a.Failed(s, err))
		return
	}
	send(w, r, a.Done(s, "/devices", demo.SignedOut(n)))
}

func (a app) passwordForm(w http.ResponseWriter, r *http.Request) {
	send(w, r, a.NewPassphrase(sessions.Get(r), ""))
}

// changePassword gives this session a new secret, so that a copy of its cookie opens nothing, and
// ends all others of the user, so that nobody stays signed in who knew only the old pass phrase.
func (a app) changePassword(w http.ResponseWriter, r *http.Request) {
	s, ctx := sessions.Get(r), r.Context()
	if len(r.PostFormValue("phrase")) < 8 {
		send(w, r, a.NewPassphrase(s, "Please enter at least 8 characters."))
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
		send(w, r, a.Done(s, "/devices", demo.SignedOut(n)+text))
	case demo.SentTwice(s):
		send(w, r, demo.Redirect("/devices"))
	default:
		send(w, r, a.Failed(s, err))
	}
}

// guard refuses forms that another site has sent.
func (a app) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if page, refused := a.Refused(sessions.Get(r), a.request(r)); refused {
			send(w, r, page)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// handle returns a handler for the routes of package demo.
func (a app) handle(h demo.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		send(w, r, h(sessions.Get(r), a.request(r)))
	}
}

// request returns what package demo needs of a request. The operator has a session of their own:
// several managers serve the same request, and GetFrom tells their sessions apart.
func (a app) request(r *http.Request) demo.Request {
	return demo.Request{
		Context: r.Context(), Method: r.Method, Path: r.URL.Path, Host: r.Host,
		Header: r.Header.Get, Query: r.URL.Query().Get, Field: r.PostFormValue,
		Operator: sessions.GetFrom(r, a.Operators()),
	}
}

// send sends a response. The middleware saves the session before its first byte.
func send(w http.ResponseWriter, r *http.Request, res demo.Response) {
	for name, value := range res.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(res.Status)
	if res.Stream == nil {
		_, _ = w.Write(res.Body)
		return
	}
	control := http.NewResponseController(w)
	res.Stream(r.Context(), func(piece string) error {
		_, err := io.WriteString(w, piece)
		return errors.Join(err, control.Flush())
	})
}
