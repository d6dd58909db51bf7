package demo

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// signIn signs in a user by name only. A real application checks a password or a passkey
// first. Signing in changes the session's secret and keeps the visitor's data, but not those of
// another user who was signed in before. Submitting the form twice is no error.
//
// If the user is to be remembered, the cookie outlives the browser, and the idle timeout is
// longer.
func (a *App) signIn(s *core.Session, r Request) Response {
	user, ok := parseName(r.Field("user"))
	remember := r.Field("remember") != ""
	if !ok || user == "" {
		return a.page(s, http.StatusUnprocessableEntity, "home",
			homePage{
				Visits: visits.Get(s), Entry: user, Remember: remember,
				Error: "Please enter a name of up to 40 letters.",
			})
	}
	how := core.SignIn{Remember: remember}
	if remember {
		how.Expiry = rememberedTimeout
	}
	if err := s.SignIn(r.Context, user, how); err != nil {
		return a.changeFailed(s, err)
	}
	const text = "Welcome, %s. Your session has a new secret and kept everything else."
	if err := flash.Set(s, fmt.Sprintf(text, user)); err != nil {
		return a.changeFailed(s, err)
	}
	return seeOther("/")
}

// signOut ends the session. The data and the cookie are deleted, and concurrent requests cannot
// bring them back.
func (a *App) signOut(s *core.Session, _ Request) Response {
	s.Destroy()
	return seeOther("/goodbye")
}

const (
	passphrase     = "open sesame"   // of all users
	confirmedLevel = 1               // of users who have entered it; a name alone proves nothing
	confirmedTime  = 5 * time.Minute // how long a confirmation is valid
)

// isConfirmed reports whether the user has recently entered the pass phrase. Signing in does
// not count, since it requires only a name. If it required a password, Fresh alone would be
// enough.
func isConfirmed(s *core.Session) bool {
	return s.Auth().Level >= confirmedLevel && s.Fresh(confirmedTime)
}

// signedIn restricts a handler to users who are signed in.
func signedIn(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		if s.Subject() == "" {
			return seeOther("/devices") // the page says what to do
		}
		return next(s, r)
	}
}

// confirmed restricts a handler to users who have recently entered the pass phrase, and asks
// for it otherwise.
func confirmed(next Handler) Handler {
	return signedIn(func(s *core.Session, r Request) Response {
		if !isConfirmed(s) {
			return seeOther("/confirm?next=" + nextPage(r.Path))
		}
		return next(s, r)
	})
}

// nextPage returns the page to go to after a confirmation. It is one of two pages, so that a
// request cannot redirect to another site.
func nextPage(path string) string {
	if path == "/password" {
		return "/password"
	}
	return "/devices"
}

// confirmPage is the content of the confirmation page.
type confirmPage struct{ Next, Phrase, Error string }

func (a *App) confirmForm(s *core.Session, r Request) Response {
	return a.page(s, http.StatusOK, "confirm", confirmPage{
		Next: nextPage(r.Query("next")), Phrase: passphrase,
	})
}

// confirm checks the pass phrase. A real application compares it with a slow hash, for each
// user, and limits failures. A double click is no error.
func (a *App) confirm(s *core.Session, r Request) Response {
	next := nextPage(r.Field("next"))
	if r.Field("phrase") != passphrase {
		return a.page(s, http.StatusUnprocessableEntity, "confirm",
			confirmPage{next, passphrase, "That is not the pass phrase."})
	}
	if err := s.Confirm(r.Context, proof()); err != nil {
		if otherClick(s) {
			return seeOther(next)
		}
		return a.changeFailed(s, err)
	}
	err := flash.Set(s, "Thank you. You will not be asked again for five minutes.")
	if err != nil {
		return a.changeFailed(s, err)
	}
	return seeOther(next)
}

// otherClick reports whether the form was sent twice, as by a double click, and the browser has
// the cookie of the other response already.
func otherClick(s *core.Session) bool {
	reason, _ := s.Overtaken()
	return reason == core.ReasonReplaced
}

func proof() core.Auth { return core.Auth{Methods: []string{"pwd"}, Level: confirmedLevel} }

// passwordPage is the content of the pass phrase page.
type passwordPage struct{ Error string }

func (a *App) password(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "password", passwordPage{})
}

// changePassword changes the secret of this session, so that a copy of this browser's cookie
// becomes useless. It then ends all other sessions of the user, so that somebody who knows only
// the old pass phrase does not stay signed in.
func (a *App) changePassword(s *core.Session, r Request) Response {
	const minLength = 8
	if len(r.Field("phrase")) < minLength {
		return a.page(s, http.StatusUnprocessableEntity, "password",
			passwordPage{"Please enter at least 8 characters."})
	}
	if err := s.Confirm(r.Context, proof()); err != nil {
		if otherClick(s) {
			return seeOther("/devices")
		}
		return a.changeFailed(s, err)
	}
	n, err := a.sessions.RevokeOthers(r.Context, s)
	if err != nil {
		return a.notRevoked(s, err)
	}
	text := signedOut(n) + " This one has a new secret. The pass phrase is still the demo’s."
	if err = flash.Set(s, text); err != nil {
		return a.changeFailed(s, err)
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
