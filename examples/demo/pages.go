package demo

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

func increment(n int) int { return n + 1 }

func (a *App) goodbye(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "goodbye", nil)
}

// Preferences are the visitor's preferences for the look of the pages.
type Preferences struct {
	Name   string `json:"name"`
	Scheme string `json:"scheme"`
	Accent string `json:"accent"`
}

func schemes() []string { return []string{"auto", "light", "dark"} }
func accents() []string { return []string{"moss", "sea", "plum", "rust"} }

// preferencesOf returns the visitor's preferences, or the default ones.
func preferencesOf(s *core.Session) Preferences {
	if p, ok := preferencesKey.Lookup(s); ok {
		return p
	}
	return Preferences{Scheme: schemes()[0], Accent: accents()[0]}
}

// preferencesPage is the content of the preferences page.
type preferencesPage struct {
	Chosen           Preferences
	Schemes, Accents []string
	Error            string
}

func (a *App) preferences(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "preferences", preferencesPage{
		Chosen: preferencesOf(s), Schemes: schemes(), Accents: accents(),
	})
}

func (a *App) savePreferences(s *core.Session, r Request) Response {
	name, ok := parseName(r.Field("name"))
	p := Preferences{Name: name, Scheme: r.Field("scheme"), Accent: r.Field("accent")}
	ok = ok && slices.Contains(schemes(), p.Scheme) && slices.Contains(accents(), p.Accent)
	if !ok {
		return a.page(s, http.StatusUnprocessableEntity, "preferences", preferencesPage{
			Chosen: p, Schemes: schemes(), Accents: accents(),
			Error: "Please choose a name of up to 40 letters, a colour scheme and an accent.",
		})
	}
	if err := preferencesKey.Set(s, p); err != nil {
		return a.Failed(s, err)
	}
	return a.Done(s, "/preferences", "Your preferences are saved.")
}

// clickCount is the content of the counter page, and the response to scripts.
type clickCount struct {
	Count int `json:"count"`
}

func (a *App) counter(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "counter", clickCount{clicks.Get(s)})
}

// countClick increments the counter for browsers without scripts.
func (a *App) countClick(s *core.Session, _ Request) Response {
	clicks.Update(s, increment)
	return Redirect("/counter")
}

// countSlowly waits for a while before it increments the counter. If the session is ended by
// another request in the meantime, nothing is stored, and the response sets no cookie.
func (a *App) countSlowly(s *core.Session, r Request) Response {
	work := time.NewTimer(tickCount * a.tickInterval)
	defer work.Stop()
	select {
	case <-work.C:
	case <-r.Context.Done():
	case <-a.done:
	}
	return a.countClick(s, r)
}

// click increments the counter for scripts. If other requests change the session at the same
// time, the function given to Update runs again with their result, so that no click is lost.
func (a *App) click(s *core.Session, _ Request) Response {
	return asJSON(clickCount{clicks.Update(s, increment)})
}

func (a *App) clickCount(s *core.Session, _ Request) Response {
	return asJSON(clickCount{clicks.Get(s)})
}

// sessionPage is the content of the session page. It does not contain the token, which no
// method of a session returns.
type sessionPage struct {
	ID                         string
	Created, LastSeen, Expires timestamp
	Keys                       []string
}

// timestamp is a time that a page shows.
type timestamp struct{ time.Time }

// Exact returns the time with its date.
func (m timestamp) Exact() string { return m.UTC().Format("2 January 2006, 15:04:05 UTC") }

// Clock returns the time of day.
func (m timestamp) Clock() string { return m.UTC().Format("15:04:05") }

// Machine returns the time for the datetime attribute.
func (m timestamp) Machine() string { return m.UTC().Format(time.RFC3339) }

// Ago returns how long ago the time was, in words.
func (m timestamp) Ago() string {
	past := time.Since(m.Time)
	switch {
	case past < time.Minute:
		return "just now"
	case past < time.Hour:
		return plural(int(past/time.Minute), "minute") + " ago"
	case past < 48*time.Hour:
		return plural(int(past/time.Hour), "hour") + " ago"
	}
	return plural(int(past/(24*time.Hour)), "day") + " ago"
}

// plural returns a number with its noun in the singular or plural.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// session shows the session. If there is none, the page says so, and viewing it creates
// neither a record nor a cookie.
func (a *App) session(s *core.Session, _ Request) Response {
	if s.IsNew() {
		return a.page(s, http.StatusOK, "session", nil)
	}
	return a.page(s, http.StatusOK, "session", sessionPage{
		ID: s.ID(), Keys: s.Keys(),
		Created: timestamp{s.Created()}, LastSeen: timestamp{s.LastSeen()},
		Expires: timestamp{s.Expires()},
	})
}

// timeLeft is the response to the session page, which asks every ten seconds.
type timeLeft struct {
	Seconds int    `json:"seconds"`
	Ended   string `json:"ended"` // why the session has ended, or "" if it has not
}

// sessionLeft says how long the session lasts. The page asks by itself, so asking is no use of
// the session: otherwise an open page would keep its user signed in.
func (a *App) sessionLeft(s *core.Session, _ Request) Response {
	s.Passive()
	left := timeLeft{Seconds: int(s.Remaining().Seconds())}
	if reason, overtaken := s.Overtaken(); overtaken {
		left.Ended = endedText(reason)
	} else if s.IsNew() {
		left.Ended = "It has ended."
	}
	return asJSON(left)
}

// endedText says why a session has ended.
func endedText(reason core.Reason) string {
	switch reason {
	case core.ReasonSignedOut:
		return "You have signed out in another tab."
	case core.ReasonSignedIn, core.ReasonReplaced:
		return "You have signed in again in another tab. Please reload the page."
	case core.ReasonLimit:
		return "You have signed in on another device, and this was one too many."
	case core.ReasonRevoked, core.ReasonRevokedAll, core.ReasonRevokedEverything, core.ReasonReuse,
		core.ReasonProvider, core.ReasonActor:
		return "This device was signed out from another one."
	}
	return "It has ended."
}

func (a *App) renew(s *core.Session, _ Request) Response {
	if s.IsNew() {
		return Redirect("/session")
	}
	if err := s.Renew(); err != nil {
		return a.Failed(s, err)
	}
	const text = "The session has a new secret. Its id and its values are the same."
	return a.Done(s, "/session", text)
}
