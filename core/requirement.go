package core

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Requirement says what a request needs, for the adapters' Require. The zero value needs a
// signed-in user, and redirects nobody.
//
// Requests that do not meet it are answered without the handler:
//
//   - A page is redirected, with the status 303, to LoginPage if nobody is signed in, and
//     to ConfirmPage if the proof is missing. The query parameter [ReturnParam] says where
//     the user wanted to go. A request is one for a page if its method is GET or HEAD and
//     the browser says that it navigates (Sec-Fetch-Mode), or, without that field, if it
//     accepts text/html.
//   - Anything else is answered with [ErrSignInRequired], whose status is 401, or with
//     [ErrProofRequired], whose status is 403. The field WWW-Authenticate tells them apart,
//     in the words of RFC 9470: error="insufficient_user_authentication", acr_values and
//     max_age.
//   - If the session cannot be loaded, the status is 503. Nobody is redirected then.
type Requirement struct {
	// LoginPage is where visitors are sent: a local path, or an absolute http or https URL. The
	// page must not have the requirement itself. If the user is signed in when the page is shown,
	// because another tab was faster, it should send them back at once. The default, "", is to
	// redirect nobody.
	LoginPage string
	// ConfirmPage is where a signed-in user proves again who they are: a local path, or an
	// absolute http or https URL. It is needed if LoginPage is set beside Level or Within, because
	// a login page that sends signed-in users back would send them round in a circle. It may be
	// the LoginPage if that does not.
	ConfirmPage string
	// Level is the assurance level that the user must have proved, from 1 to 255; see
	// [Auth.Level]. The default, 0, is any.
	Level int
	// Within is how long ago the proof may be, of that level if there is one; see
	// [Session.FreshLevel]. It is at least one second. The default, 0, is any time since the
	// login.
	Within time.Duration
}

// check returns an error that says what to change if the requirement makes no sense.
func (r *Requirement) check() error {
	proof := r.Level != 0 || r.Within != 0
	switch {
	case r.Level < 0 || r.Level > record.MaxLevel:
		return fmt.Errorf("sessions: Requirement.Level is %d; use 1 to %d, or 0 for any",
			r.Level, record.MaxLevel)
	case r.Within < 0 || r.Within > 0 && r.Within < time.Second:
		return fmt.Errorf("sessions: Requirement.Within is %v; use at least a second, "+
			"or 0 for any time since the login", r.Within)
	case r.LoginPage == "" && r.ConfirmPage != "":
		return fmt.Errorf("sessions: Requirement.ConfirmPage is %q without a LoginPage; set "+
			"LoginPage to the page where visitors sign in", r.ConfirmPage)
	case r.LoginPage != "" && r.ConfirmPage == "" && proof:
		return errors.New("sessions: Requirement has a Level or Within and no ConfirmPage; set " +
			"ConfirmPage to the page where a signed-in user proves again who they are, or " +
			"leave LoginPage unset to redirect nobody")
	case r.ConfirmPage != "" && !proof:
		return fmt.Errorf("sessions: Requirement.ConfirmPage is %q, but nothing needs to be "+
			"confirmed; set Level or Within, or leave it unset", r.ConfirmPage)
	}
	if err := checkPage("LoginPage", r.LoginPage); err != nil {
		return err
	}
	return checkPage("ConfirmPage", r.ConfirmPage)
}

// checkPage returns an error unless the page is one that a redirect may lead to.
func checkPage(field, page string) error {
	if page == "" || LocalPath(page) {
		return nil
	}
	u, err := url.Parse(page)
	absolute := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" &&
		u.User == nil && !strings.ContainsAny(page, "#\\ \t\r\n")
	if !absolute {
		return fmt.Errorf("sessions: Requirement.%s is %q; use a path that begins with a single "+
			"slash, or an absolute http or https URL, without a fragment", field, page)
	}
	return nil
}

// Guard is a checked [Requirement]. It is for adapters.
type Guard struct{ Requirement }

// NewGuard returns a guard for the requirement. It panics if the requirement makes no sense; the
// message says what to change.
func NewGuard(r Requirement) *Guard {
	if err := r.check(); err != nil {
		panic(err.Error())
	}
	return &Guard{r}
}

// Met reports whether the session meets the requirement.
func (g *Guard) Met(s *Session) bool { return s.Subject() != "" && g.proved(s) }

// proved reports whether the proof of a signed-in user is good enough.
func (g *Guard) proved(s *Session) bool {
	switch {
	case g.Within > 0:
		return s.FreshLevel(g.Level, g.Within)
	case g.Level > 0:
		return s.Auth().Level >= g.Level
	}
	return true
}

// Refuse returns what to answer to a request whose session does not meet the requirement.
func (g *Guard) Refuse(s *Session, v *adapter.Visit) adapter.Verdict {
	page, verdict := g.LoginPage, adapter.Verdict{
		Field: "WWW-Authenticate", Value: "Cookie", Err: ErrSignInRequired,
	}
	if s.Subject() != "" {
		page, verdict.Value, verdict.Err = g.ConfirmPage, g.challenge(), ErrProofRequired
	}
	switch {
	case page == "":
	case leadsTo(v.Target, page):
		return adapter.Verdict{Err: fmt.Errorf("%w: %s", ErrPageGuarded, page)}
	case v.Navigates():
		return adapter.Verdict{Location: withReturnTo(page, localTarget(v.Target))}
	}
	return verdict
}

// challenge returns what is missing in the words of RFC 9470, section 3. The scheme is not
// registered: a session is not a bearer token.
func (g *Guard) challenge() string {
	value := `Cookie error="insufficient_user_authentication"`
	if g.Level > 0 {
		value += `, acr_values="` + strconv.Itoa(g.Level) + `"`
	}
	if g.Within > 0 {
		value += `, max_age="` + strconv.FormatInt(int64(g.Within/time.Second), 10) + `"`
	}
	return value
}

// leadsTo reports whether a redirect to the page would only lead back to this guard: the request
// is one for the page itself, or guards have redirected it twice already, as they do if a proxy
// gives the page another path.
func leadsTo(target, page string) bool {
	target = localTarget(target)
	if returnParamOf(returnParamOf(target)) != "" {
		return true
	}
	here, err := url.Parse(target)
	there, pageErr := url.Parse(page)
	return err == nil && pageErr == nil && target != "" && there.Host == "" &&
		path.Clean(here.Path) == path.Clean(there.Path)
}
