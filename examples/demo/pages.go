package demo

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core"
)

func increment(n int) int { return n + 1 }

// welcome is the content of the home page.
type welcome struct {
	Visits   int
	Entry    string // what was entered as a name
	Remember bool   // what was ticked
	Error    string
}

func (a *App) home(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "home", welcome{Visits: visits.Update(s, increment)})
}

func (a *App) goodbye(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "goodbye", nil)
}

// Preferences are how a visitor likes the pages.
type Preferences struct {
	Name   string `json:"name"`
	Scheme string `json:"scheme"`
	Accent string `json:"accent"`
}

func schemes() []string { return []string{"auto", "light", "dark"} }
func accents() []string { return []string{"moss", "sea", "plum", "rust"} }

// preferencesOf returns the visitor's preferences, or the ones to start with.
func preferencesOf(s *core.Session) Preferences {
	if p, ok := preferences.Lookup(s); ok {
		return p
	}
	return Preferences{Scheme: schemes()[0], Accent: accents()[0]}
}

// choices is the content of the preferences page.
type choices struct {
	Chosen           Preferences
	Schemes, Accents []string
	Error            string
}

func (a *App) preferences(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "preferences", choices{Chosen: preferencesOf(s), Schemes: schemes(), Accents: accents()})
}

func (a *App) savePreferences(s *core.Session, r Request) Response {
	name, ok := nameIn(r.Field("name"))
	p := Preferences{Name: name, Scheme: r.Field("scheme"), Accent: r.Field("accent")}
	if !ok || !slices.Contains(schemes(), p.Scheme) || !slices.Contains(accents(), p.Accent) {
		return a.page(s, http.StatusUnprocessableEntity, "preferences", choices{
			Chosen: p, Schemes: schemes(), Accents: accents(),
			Error: "Please choose a name of up to 40 letters, a colour scheme and an accent.",
		})
	}
	if err := preferences.Set(s, p); err != nil {
		return a.refused(s, err)
	}
	if err := flash.Set(s, "Your preferences are saved."); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/preferences")
}

// nameIn returns a name as it is shown, and whether it can be one.
func nameIn(field string) (string, bool) {
	name := strings.TrimSpace(field)
	ok := utf8.ValidString(name) && utf8.RuneCountInString(name) <= 40 && !strings.ContainsFunc(name, unicode.IsControl)
	return name, ok
}

// tally is a number of clicks, for the counter page and for scripts.
type tally struct {
	Count int `json:"count"`
}

func (a *App) counter(s *core.Session, _ Request) Response {
	return a.page(s, http.StatusOK, "counter", tally{clicks.Get(s)})
}

// count adds one for browsers without scripts.
func (a *App) count(s *core.Session, _ Request) Response {
	clicks.Update(s, increment)
	return seeOther("/counter")
}

// countSlowly is under way for a while before it writes. When the session is ended from elsewhere meanwhile its write finds
// nothing, and its response brings no cookie.
func (a *App) countSlowly(s *core.Session, r Request) Response {
	work := time.NewTimer(ticks * a.tick)
	defer work.Stop()
	select {
	case <-work.C:
	case <-r.Context.Done():
	case <-a.done:
	}
	return a.count(s, r)
}

// hit adds one for scripts. When other requests change the session at the same time the function given to Update runs
// again on their result, so that none is lost.
func (a *App) hit(s *core.Session, _ Request) Response {
	return asJSON(tally{clicks.Update(s, increment)})
}

func (a *App) hits(s *core.Session, _ Request) Response { return asJSON(tally{clicks.Get(s)}) }

// facts is the content of the session page. The token is not among them, and no method of a session tells it.
type facts struct {
	ID                         string
	Created, LastSeen, Expires moment
	Keys                       []string
}

// moment is a time as a page shows it.
type moment struct{ time.Time }

// Exact returns the time for people.
func (m moment) Exact() string { return m.UTC().Format("2 January 2006, 15:04:05 UTC") }

// Clock returns the time of the day.
func (m moment) Clock() string { return m.UTC().Format("15:04:05") }

// Machine returns the time for the datetime attribute.
func (m moment) Machine() string { return m.UTC().Format(time.RFC3339) }

// Ago returns how long it is past, in words.
func (m moment) Ago() string {
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

// plural returns the number with the noun that goes with it.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// session shows a visitor without a session that there is none: looking makes neither a record nor a cookie.
func (a *App) session(s *core.Session, _ Request) Response {
	if s.IsNew() {
		return a.page(s, http.StatusOK, "session", nil)
	}
	return a.page(s, http.StatusOK, "session", facts{
		ID: s.ID(), Keys: s.Keys(),
		Created: moment{s.Created()}, LastSeen: moment{s.LastSeen()}, Expires: moment{s.Expires()},
	})
}

func (a *App) renew(s *core.Session, _ Request) Response {
	if s.IsNew() {
		return seeOther("/session")
	}
	if err := s.Renew(); err != nil {
		return a.refused(s, err)
	}
	if err := flash.Set(s, "The session has a new secret. Its id and its values are the same."); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/session")
}
