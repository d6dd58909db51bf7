package demo

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core"
)

// device is a session as its user sees it.
type device struct {
	ID, Name, Address  string
	Here, Remembered   bool
	LastSeen, SignedIn moment
}

// devices is the content of the devices page.
type devices struct {
	List      []device
	Others    int
	Confirmed bool
	Unlisted  bool // the store keeps no list
}

// devices shows where the user is signed in.
func (a *App) devices(s *core.Session, r Request) Response {
	if s.Subject() == "" {
		return a.page(s, http.StatusOK, "devices", nil)
	}
	list, err := a.sessions.List(r.Context, s.Subject())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return a.broken(s, err)
	}
	d := devices{Confirmed: isConfirmed(s), Unlisted: err != nil}
	for i := range list {
		if list[i].ID == s.ID() {
			d.List = slices.Insert(d.List, 0, deviceOf(&list[i], true))
		} else {
			d.List = append(d.List, deviceOf(&list[i], false))
			d.Others++
		}
	}
	return a.page(s, http.StatusOK, "devices", d)
}

func deviceOf(info *core.Info, here bool) device {
	return device{
		ID: info.ID, Here: here, Remembered: info.Persistent,
		Name: browserName(info.UserAgent), Address: placeName(info.IP),
		LastSeen: moment{info.LastSeen}, SignedIn: moment{info.AuthenticatedAt},
	}
}

// revoke signs one device out. The id is what the form says; one of somebody else's counts as not there.
func (a *App) revoke(s *core.Session, r Request) Response {
	id := r.Field("id")
	if id == s.ID() {
		return a.signOut(s, r)
	}
	if err := a.sessions.Revoke(r.Context, s.Subject(), id); err != nil {
		return a.notRevoked(s, err)
	}
	if err := flash.Set(s, "That device is signed out."); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/devices")
}

// revokeOthers signs out all devices but this one.
func (a *App) revokeOthers(s *core.Session, r Request) Response {
	n, err := a.sessions.RevokeOthers(r.Context, s)
	if err != nil {
		return a.notRevoked(s, err)
	}
	if err = flash.Set(s, signedOut(n)); err != nil {
		return a.refused(s, err)
	}
	return seeOther("/devices")
}

// notRevoked answers for sessions that could not be ended.
func (a *App) notRevoked(s *core.Session, err error) Response {
	switch {
	case errors.Is(err, core.ErrNotFound):
		return a.failure(s, http.StatusNotFound, "No such device", "It may have been signed out already.")
	case errors.Is(err, core.ErrGone):
		return a.failure(s, http.StatusForbidden, "Signed out", "This device was signed out from another one, so it cannot sign out others.")
	case errors.Is(err, errors.ErrUnsupported):
		return a.failure(s, http.StatusNotImplemented, "Not on this store", "It keeps no list of a user’s sessions, so nobody was signed out.")
	}
	return a.broken(s, err)
}

// naming says which word in a user agent stands for what. The first that fits counts, as browsers name their forebears, too.
type naming struct{ word, name string }

func browsers() []naming {
	return []naming{
		{"Edg/", "Edge"},
		{"EdgA/", "Edge"},
		{"EdgiOS/", "Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"FxiOS/", "Firefox"},
		{"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"},
		{"Chrome/", "Chrome"},
		{"Safari/", "Safari"},
	}
}

func systems() []naming {
	return []naming{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Macintosh", "Mac"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
}

func nameOf(agent string, namings []naming) string {
	for _, n := range namings {
		if strings.Contains(agent, n.word) {
			return n.name
		}
	}
	return ""
}

// browserName returns a user agent in words: "Firefox on Linux". It is what the client says, and no proof of anything.
func browserName(agent string) string {
	browser, system := nameOf(agent, browsers()), nameOf(agent, systems())
	switch {
	case browser == "":
		return programName(agent)
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// programName returns the first word of a user agent that is no known browser's: "curl".
func programName(agent string) string {
	const longest = 40
	name, _, _ := strings.Cut(agent, " ")
	name, _, _ = strings.Cut(name, "/")
	if name == "" || name == "Mozilla" || utf8.RuneCountInString(name) > longest {
		return "An unknown browser"
	}
	return name
}

// placeName returns an address for people.
func placeName(ip string) string {
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return "an unknown address"
	case addr.Unmap().IsLoopback():
		return "this computer (" + addr.Unmap().String() + ")"
	}
	return addr.Unmap().String()
}
