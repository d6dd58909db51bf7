package demo

import (
	"errors"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// signIn takes anybody's word for who they are; a real application checks a password or a passkey first. What the
// visitor did before stays: signing in changes the session's secret and nothing else.
func (a *App) signIn(s *core.Session, r Request) Response {
	user, ok := nameIn(r.Field("user"))
	remember := r.Field("remember") != ""
	if !ok || user == "" {
		return a.page(s, http.StatusUnprocessableEntity, "home",
			welcome{Visits: visits.Get(s), Entry: user, Remember: remember, Error: "Please enter a name of up to 40 letters."})
	}
	if err := enter(s, user, remember); err != nil {
		return a.refused(s, err)
	}
	if err := flash.Set(s, "Welcome, "+user+". Your session has a new secret and kept everything else."); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/")
}

// enter signs a user in, with nothing of what another one left. A remembered session has a cookie that outlives the
// browser, and more time. The others say so too, for who signs in anew where somebody was remembered.
func enter(s *core.Session, user string, remember bool) error {
	var left error
	if before := s.Subject(); before != "" && before != user {
		left = s.Clear()
	}
	var expiry time.Duration // that of the options
	if remember {
		expiry = rememberedTime
	}
	return errors.Join(left, s.Login(user), s.Remember(remember), s.SetExpiry(expiry))
}

// signOut ends the session: the record and the cookie go, and requests that are still under way cannot bring them back.
func (a *App) signOut(s *core.Session, _ Request) Response {
	s.Destroy()
	return seeOther("/goodbye")
}

const (
	passPhrase     = "open sesame"   // everybody's
	confirmedLevel = 1               // of who has said it; a name alone proves nothing
	confirmedFor   = 5 * time.Minute // and how long that counts
)

// isConfirmed reports whether the user has proved a short while ago who they are. Signing in does not count here, as it
// asks for a name only. Where it asks for a password, Fresh alone is enough.
func isConfirmed(s *core.Session) bool {
	return s.Auth().Level >= confirmedLevel && s.Fresh(confirmedFor)
}

// signedIn keeps out who has not signed in.
func signedIn(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		if s.Subject() == "" {
			return seeOther("/devices") // which says what to do
		}
		return next(s, r)
	}
}

// confirmed asks who the user is before something sensitive.
func confirmed(next Handler) Handler {
	return signedIn(func(s *core.Session, r Request) Response {
		if !isConfirmed(s) {
			return seeOther("/confirm?next=" + placeOf(r.Path))
		}
		return next(s, r)
	})
}

// placeOf returns the page to go to after a confirmation. It is one of two, whatever the request says: it must not lead to
// another site.
func placeOf(path string) string {
	if path == "/password" {
		return "/password"
	}
	return "/devices"
}

// question is the content of the confirmation page.
type question struct{ Next, Phrase, Error string }

func (a *App) askAgain(s *core.Session, r Request) Response {
	return a.page(s, http.StatusOK, "confirm", question{Next: placeOf(r.Query("next")), Phrase: passPhrase})
}

// confirm takes the pass phrase. A real application compares with a slow hash of the user's own, and counts failures.
func (a *App) confirm(s *core.Session, r Request) Response {
	next := placeOf(r.Field("next"))
	if r.Field("phrase") != passPhrase {
		return a.page(s, http.StatusUnprocessableEntity, "confirm", question{next, passPhrase, "That is not the pass phrase."})
	}
	if err := s.StepUp(proof()); err != nil {
		return a.refused(s, err)
	}
	if err := flash.Set(s, "Thank you. You will not be asked again for five minutes."); err != nil {
		return a.refused(s, err)
	}
	return seeOther(next)
}

func proof() core.Auth { return core.Auth{Methods: []string{"pwd"}, Level: confirmedLevel} }

// change is the content of the pass phrase page.
type change struct{ Error string }

func (a *App) password(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "password", change{})
}

// changePassword ends all other sessions of the user, so that nobody stays signed in who knew only the old pass phrase. The
// new secret leaves out whoever has a copy of this browser's cookie, too.
func (a *App) changePassword(s *core.Session, r Request) Response {
	const shortest = 8
	if len(r.Field("phrase")) < shortest {
		return a.page(s, http.StatusUnprocessableEntity, "password", change{"Please enter at least 8 characters."})
	}
	n, err := a.sessions.RevokeOthers(r.Context, s)
	if err != nil {
		return a.notRevoked(s, err)
	}
	if err = s.StepUp(proof()); err != nil {
		return a.refused(s, err)
	}
	if err = flash.Set(s, signedOut(n)+" This one has a new secret. The pass phrase is still the demo’s."); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/devices")
}

// signedOut says how many devices were signed out.
func signedOut(n int) string {
	if n == 1 {
		return "1 other device is signed out."
	}
	return plural(n, "other device") + " are signed out."
}
