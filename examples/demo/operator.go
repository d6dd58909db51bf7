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

// localOnly restricts a handler to requests from this computer. The operator's page shows who
// is signed in and can end any session. In a real application it requires an administrator's
// login.
//
// Checking the address of the client is not enough: another site may resolve its own name to
// this computer's address, and the browser would let its pages read this one. Checking the
// host is not enough either, since a client can send any host. A request that a proxy forwards
// comes from another computer.
func (a *App) localOnly(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		forwarded := r.Header("X-Forwarded-For") != "" || r.Header("Forwarded") != ""
		if !isLocal(r.Host) || !isLocal(r.Remote) || forwarded {
			return a.errorResponse(s, http.StatusForbidden, "Only from this computer",
				"The operator’s page opens at localhost, in a browser on the computer "+
					"that runs the demo.")
		}
		return next(s, r)
	}
}

// isLocal reports whether a host, with or without a port, is this computer.
func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

// sessionRow is a session as the operator page shows it.
type sessionRow struct {
	ID, Subject string
	Here        bool
	LastSeen    timestamp
}

// statistic is a row of the statistics.
type statistic struct {
	Name string
	N    uint64
}

// policyLine is a line of the policy.
type policyLine struct{ Name, Text string }

// operatorPage is the content of the operator page.
type operatorPage struct {
	Total    int
	Sessions []sessionRow
	First    bool   // whether this is the first page of the list
	Next     string // cursor of the next page, or "" for the last page
	Unlisted bool   // the store cannot list sessions
	Events   []eventRow
	Counts   []statistic
	Policy   []policyLine
}

func (a *App) operator(s *core.Session, r Request) Response {
	o := operatorPage{
		Events: a.eventLog.latest(), Counts: statistics(a.sessions.Stats()),
		Policy: policyLines(a.sessions.Policy().String()),
	}
	err := a.listSessions(r.Context, &o, r.Query("after"))
	o.Unlisted = errors.Is(err, errors.ErrUnsupported)
	if err != nil && !o.Unlisted {
		return a.storeFailed(s, err)
	}
	if !s.IsNew() {
		for i := range o.Sessions {
			o.Sessions[i].Here = o.Sessions[i].ID == s.ID()
		}
	}
	return a.page(s, http.StatusOK, "operator", o)
}

// listSessions adds the sessions after a cursor to the page.
func (a *App) listSessions(ctx context.Context, o *operatorPage, cursor string) error {
	const perPage = 10
	page, next, err := a.sessions.Page(ctx, cursor, perPage)
	if err != nil {
		return err
	}
	for i := range page {
		o.Sessions = append(o.Sessions, sessionRow{
			ID: page[i].ID, Subject: page[i].Subject, LastSeen: timestamp{page[i].LastSeen},
		})
	}
	o.First, o.Next = cursor == "", next
	o.Total, err = a.sessions.Count(ctx)
	return err
}

// endSession ends a session of any user.
func (a *App) endSession(s *core.Session, r Request) Response {
	id := r.Field("id")
	if !s.IsNew() && s.ID() == id {
		s.Destroy()
		return seeOther("/operator")
	}
	err := a.sessions.RevokeByID(r.Context, id)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return a.errorResponse(s, http.StatusNotFound, "No such session",
			"It may have ended already.")
	case err != nil:
		return a.storeFailed(s, err)
	}
	return seeOther("/operator")
}

func statistics(s core.Stats) []statistic {
	return []statistic{
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

func policyLines(policy string) (all []policyLine) {
	for line := range strings.Lines(policy) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		all = append(all, policyLine{name, text})
	}
	return all
}

// eventRow is an event as the operator page shows it.
type eventRow struct {
	Time                   timestamp
	Kind, ID, Subject, Why string
}

// Short returns the end of the id, which differs between sessions that were created at the
// same time.
func (r eventRow) Short() string { return "…" + r.ID[max(0, len(r.ID)-8):] }

// eventLog holds the latest events, without anything from their requests. It is safe for
// concurrent use.
type eventLog struct {
	mu   sync.Mutex
	ring [40]eventRow
	n    int // number of events so far
}

// add adds an event. It ignores EventLoaded, which every request with a session causes.
func (l *eventLog) add(e core.Event) {
	if e.Kind == core.EventLoaded {
		return
	}
	row := eventRow{
		Time: timestamp{e.Time}, Kind: e.Kind.String(), ID: e.SessionID, Subject: e.Subject,
		Why: string(e.Reason),
	}
	if row.Why == "" && e.Err != nil {
		row.Why = e.Err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.n%len(l.ring)] = row
	l.n++
}

// latest returns the events, the latest one first.
func (l *eventLog) latest() []eventRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]eventRow, 0, len(l.ring))
	for i := l.n - 1; i >= max(0, l.n-len(l.ring)); i-- {
		all = append(all, l.ring[i%len(l.ring)])
	}
	return all
}
