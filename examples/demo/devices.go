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
	Confirmed bool // whether the user may sign out others without being asked
	Unlisted  bool // the store cannot list sessions
}

// Devices returns the page that shows where the user is signed in: what [core.Manager.List] has
// returned. Confirmed says whether the user has been asked lately.
func (a *App) Devices(s *core.Session, list []core.Info, err error, confirmed bool) Response {
	if s.Subject() == "" {
		return a.page(s, http.StatusOK, "devices", nil)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return a.Failed(s, err)
	}
	d := devicesPage{Confirmed: confirmed, Unlisted: err != nil}
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
