package demo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/cloakroom-go/sessions/core"
)

// operators keeps the operator's page to this computer. It shows who is signed in and ends anybody's session: in a real
// application it stands behind an administrator's login.
//
// That the connection comes from this computer is not enough: another site may give its own name this computer's address,
// and the browser would let its page read this one. The host is not enough, as a client writes there what it likes. And
// what a proxy passes on comes from somewhere else.
func (a *App) operators(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		if !isHere(r.Host) || !isHere(r.Remote) || r.Header("X-Forwarded-For") != "" || r.Header("Forwarded") != "" {
			return a.failure(s, http.StatusForbidden, "Only from this computer", "The operator’s page opens at localhost, in a browser on the computer that runs the demo.")
		}
		return next(s, r)
	}
}

// isHere reports whether a host, with a port or without, is this computer.
func isHere(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// entry is a session as the operator sees it.
type entry struct {
	ID, Subject string
	Here        bool
	LastSeen    moment
}

// count is a row of the statistics.
type count struct {
	Name string
	N    uint64
}

// rule is a line of the policy.
type rule struct{ Name, Text string }

// operations is the content of the operator page.
type operations struct {
	Total    int
	Sessions []entry
	First    bool   // the page of the list is the first
	Next     string // cursor of the one after it, "" for the last
	Unlisted bool   // the store keeps no list
	Events   []happening
	Counts   []count
	Policy   []rule
}

func (a *App) operator(s *core.Session, r Request) Response {
	o := operations{Events: a.journal.latest(), Counts: counts(a.sessions.Stats()), Policy: rules(a.sessions.Policy())}
	err := a.list(r.Context, &o, r.Query("after"))
	o.Unlisted = errors.Is(err, errors.ErrUnsupported)
	if err != nil && !o.Unlisted {
		return a.broken(s, err)
	}
	if !s.IsNew() {
		for i := range o.Sessions {
			o.Sessions[i].Here = o.Sessions[i].ID == s.ID()
		}
	}
	return a.page(s, http.StatusOK, "operator", o)
}

// list fills in the sessions behind a cursor.
func (a *App) list(ctx context.Context, o *operations, cursor string) error {
	const perPage = 10
	page, next, err := a.sessions.Page(ctx, cursor, perPage)
	if err != nil {
		return err
	}
	for i := range page {
		o.Sessions = append(o.Sessions, entry{ID: page[i].ID, Subject: page[i].Subject, LastSeen: moment{page[i].LastSeen}})
	}
	o.First, o.Next = cursor == "", next
	o.Total, err = a.sessions.Count(ctx)
	return err
}

// end ends one session, whoever it belongs to.
func (a *App) end(s *core.Session, r Request) Response {
	id := r.Field("id")
	if !s.IsNew() && s.ID() == id {
		s.Destroy()
		return seeOther("/operator")
	}
	err := a.sessions.RevokeByID(r.Context, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return a.failure(s, http.StatusNotFound, "No such session", "It may have ended already.")
	case err != nil:
		return a.broken(s, err)
	}
	return seeOther("/operator")
}

func counts(s core.Stats) []count {
	return []count{
		{"Requests with a session", s.Loaded},
		{"Sessions begun", s.Created},
		{"Changes saved", s.Committed},
		{"Merged with another request’s", s.Merged},
		{"Extended without a change", s.Touched},
		{"Secrets renewed", s.Renewed},
		{"Signed in or confirmed", s.Logins},
		{"Ended by their user", s.Destroyed},
		{"Ended from elsewhere", s.Revoked},
		{"Requests that came too late", s.Gone},
		{"Expired tickets", s.Expired},
		{"Wrong tickets", s.Refused},
		{"Copied tickets", s.Reused},
		{"Damaged records", s.Undecodable},
		{"Failures of the store", s.StoreFailures},
		{"Events missed", s.EventsDropped},
	}
}

func rules(policy string) (all []rule) {
	for line := range strings.Lines(policy) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		all = append(all, rule{name, text})
	}
	return all
}

// happening is an event as the operator sees it.
type happening struct {
	Time                   moment
	Kind, ID, Subject, Why string
}

// Short returns the end of the id, which differs between sessions that were made at the same time.
func (h happening) Short() string { return "…" + h.ID[max(0, len(h.ID)-8):] }

// journal remembers the latest events, and nothing of the requests that they came from. It is safe for concurrent use.
type journal struct {
	mu   sync.Mutex
	ring [40]happening
	n    int // how many there have been
}

// add writes down an event. That a request came with a session is counted, and not news.
func (j *journal) add(e core.Event) {
	if e.Kind == core.EventLoaded {
		return
	}
	h := happening{Time: moment{e.Time}, Kind: e.Kind.String(), ID: e.SessionID, Subject: e.Subject, Why: e.Reason}
	if h.Why == "" && e.Err != nil {
		h.Why = e.Err.Error()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ring[j.n%len(j.ring)] = h
	j.n++
}

// latest returns the events, the last one first.
func (j *journal) latest() []happening {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]happening, 0, len(j.ring))
	for i := j.n - 1; i >= max(0, j.n-len(j.ring)); i-- {
		all = append(all, j.ring[i%len(j.ring)])
	}
	return all
}
