package demo

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core"
)

// SignInForm is what a user enters to sign in.
type SignInForm struct {
	User     string
	Remember bool // whether the box is ticked
}

// Valid removes the space around the name and reports whether it is one.
func (f *SignInForm) Valid() bool {
	user, ok := parseName(f.User)
	f.User = user
	return ok && user != ""
}

// parseName returns a name without surrounding space, and whether it is valid.
func parseName(field string) (string, bool) {
	name := strings.TrimSpace(field)
	ok := utf8.ValidString(name) && utf8.RuneCountInString(name) <= 40 &&
		!strings.ContainsFunc(name, unicode.IsControl)
	return name, ok
}

// homePage is the content of the home page.
type homePage struct {
	Visits int
	Form   SignInForm
	Error  string
}

// Home returns the home page.
func (a *App) Home(s *core.Session, visits int) Response {
	return a.page(s, http.StatusOK, "home", homePage{Visits: visits})
}

// SignInAgain returns the home page with a form that was not valid.
func (a *App) SignInAgain(s *core.Session, visits int, form SignInForm) Response {
	return a.page(s, http.StatusUnprocessableEntity, "home",
		homePage{visits, form, "Please enter a name of up to 40 letters."})
}

// Passphrase is the pass phrase of all users. A real application compares a slow hash, for each
// user, and limits failures.
const Passphrase = "open sesame"

// NextPage returns the page to go to after a confirmation. It is one of two pages, so that a
// request cannot redirect to another site.
func NextPage(path string) string {
	if path == "/password" {
		return "/password"
	}
	return "/devices"
}

// phrasePage is the content of the pages that ask for a pass phrase.
type phrasePage struct{ Next, Phrase, Error string }

// Confirm returns the page that asks for the pass phrase and then leads to the page next. If there
// is a problem with what was entered, the page says so.
func (a *App) Confirm(s *core.Session, next, problem string) Response {
	return a.page(s, formStatus(problem), "confirm", phrasePage{next, Passphrase, problem})
}

// NewPassphrase returns the page that asks for a new pass phrase.
func (a *App) NewPassphrase(s *core.Session, problem string) Response {
	return a.page(s, formStatus(problem), "password", phrasePage{Error: problem})
}

// formStatus returns the status of a page with a form.
func formStatus(problem string) int {
	if problem != "" {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// SentTwice reports whether the browser has sent a form twice, as by a double click, and has the
// cookie of the other response already. The second request is no error.
func SentTwice(s *core.Session) bool {
	reason, _ := s.Overtaken()
	return reason == core.ReasonReplaced
}

// SignedOut says how many devices were signed out.
func SignedOut(n int) string {
	if n == 1 {
		return "1 other device is signed out."
	}
	return plural(n, "other device") + " are signed out."
}
