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

// device is a session as the devices page shows it.
type device struct {
	ID, Name, Address  string
	Here, Remembered   bool
	LastSeen, SignedIn timestamp
}

// devicesPage is the content of the devices page.
type devicesPage struct {
	List      []device
	Others    int
	Confirmed bool
	Unlisted  bool // the store cannot list sessions
}

// devices shows where the user is signed in.
func (a *App) devices(s *core.Session, r Request) Response {
	if s.Subject() == "" {
		return a.page(s, http.StatusOK, "devices", nil)
	}
	list, err := a.sessions.List(r.Context, s.Subject())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return a.storeFailed(s, err)
	}
	d := devicesPage{Confirmed: isConfirmed(s), Unlisted: err != nil}
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
		Name: browserName(info.UserAgent), Address: addressName(info.IP),
		LastSeen: timestamp{info.LastSeen}, SignedIn: timestamp{info.AuthenticatedAt},
	}
}

// revoke signs out the device with the id in the form. A session of another user is treated
// like one that does not exist.
func (a *App) revoke(s *core.Session, r Request) Response {
	id := r.Field("id")
	if id == s.ID() {
		return a.signOut(s, r)
	}
	if err := a.sessions.Revoke(r.Context, s.Subject(), id); err != nil {
		return a.notRevoked(s, err)
	}
	if err := flash.Set(s, "That device is signed out."); err != nil {
		return a.changeFailed(s, err)
	}
	return seeOther("/devices")
}

// revokeOthers signs out all other devices.
func (a *App) revokeOthers(s *core.Session, r Request) Response {
	n, err := a.sessions.RevokeOthers(r.Context, s)
	if err != nil {
		return a.notRevoked(s, err)
	}
	if err = flash.Set(s, signedOut(n)); err != nil {
		return a.changeFailed(s, err)
	}
	return seeOther("/devices")
}

// notRevoked returns the response if sessions could not be revoked.
func (a *App) notRevoked(s *core.Session, err error) Response {
	switch {
	case errors.Is(err, core.ErrNotFound):
		return a.errorResponse(s, http.StatusNotFound, "No such device",
			"It may have been signed out already.")
	case errors.Is(err, core.ErrGone):
		return a.errorResponse(s, http.StatusForbidden, "Signed out",
			"This device was signed out from another one, so it cannot sign out others.")
	case errors.Is(err, errors.ErrUnsupported):
		return a.errorResponse(s, http.StatusNotImplemented, "Not on this store",
			"It keeps no list of a user’s sessions, so nobody was signed out.")
	}
	return a.storeFailed(s, err)
}

// agentName is the name that a word in a user agent stands for. The first word that matches
// counts, since browsers also include the names of older ones.
type agentName struct{ word, name string }

func browsers() []agentName {
	return []agentName{
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

func systems() []agentName {
	return []agentName{
		{"iPhone", "iPhone"},
		{"iPad", "iPad"},
		{"Android", "Android"},
		{"Windows", "Windows"},
		{"Macintosh", "Mac"},
		{"CrOS", "ChromeOS"},
		{"Linux", "Linux"},
	}
}

func nameOf(agent string, names []agentName) string {
	for _, n := range names {
		if strings.Contains(agent, n.word) {
			return n.name
		}
	}
	return ""
}

// browserName describes a user agent, for example as "Firefox on Linux". Clients can send any
// user agent.
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

// programName returns the first word of a user agent that is not a known browser, for example
// "curl".
func programName(agent string) string {
	const maxLength = 40
	name, _, _ := strings.Cut(agent, " ")
	name, _, _ = strings.Cut(name, "/")
	if name == "" || name == "Mozilla" || utf8.RuneCountInString(name) > maxLength {
		return "An unknown browser"
	}
	return name
}

// addressName describes an IP address.
func addressName(ip string) string {
	addr, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return "an unknown address"
	case addr.Unmap().IsLoopback():
		return "this computer (" + addr.Unmap().String() + ")"
	}
	return addr.Unmap().String()
}
