package demo

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// operatorOptions returns the options of the operator's sessions. They are in the memory of this
// process, as the token is, and their cookie goes to the operator's page alone.
//
// The address of the client would not tell who the operator is: what comes through a proxy on this
// computer has its address, too.
func (a *App) operatorOptions() core.Options {
	return core.Options{
		Store:  a.operatorStore,
		Expiry: 15 * time.Minute, Lifetime: 8 * time.Hour,
		Cookie: core.Cookie{
			Name: "operator", Path: "/operator", SameSite: core.SameSiteStrict,
			SessionOnly: true, DisableSecure: true, // as in the example programs
		},
	}
}

// Operators returns the manager of the operator's sessions. Its middleware is mounted outside of
// that of the visitors.
func (a *App) Operators() *core.Manager { return a.operators }

// operator is the operator's part of the application.
type operator struct {
	*App

	sessions *core.Manager // of the visitors
}

// tokenPage is the content of the page that asks for the token.
type tokenPage struct{ Error string }

// only restricts a handler to an operator who has entered the token, and asks for it otherwise.
func (o *operator) only(next Handler) Handler {
	return func(s *core.Session, r Request) Response {
		switch {
		case r.Operator.Subject() != "":
			return next(s, r)
		case r.Method == http.MethodPost:
			return o.page(s, http.StatusForbidden, "token", tokenPage{})
		}
		return o.page(s, http.StatusOK, "token", tokenPage{})
	}
}

// enter signs the operator in with the token. The secret of the operator's session is new, so a
// cookie that somebody has planted before opens nothing.
func (o *operator) enter(s *core.Session, r Request) Response {
	switch o.gate.try(r.Field("token")) {
	case tooManyTries:
		const text = "There were too many tries. Please wait for a few seconds."
		res := o.page(s, http.StatusTooManyRequests, "token", tokenPage{text})
		res.Header["Retry-After"] = "5"
		return res
	case wrongToken:
		const text = "That is not the token that the program has printed."
		return o.page(s, http.StatusForbidden, "token", tokenPage{text})
	case rightToken:
	}
	if err := r.Operator.SignIn(r.Context, "operator", core.SignIn{}); err != nil {
		return o.Failed(s, err)
	}
	return Redirect("/operator")
}

// leave signs the operator out.
func (o *operator) leave(_ *core.Session, r Request) Response {
	r.Operator.Destroy()
	return Redirect("/operator")
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

// show shows all sessions, and what has happened to them.
func (o *operator) show(s *core.Session, r Request) Response {
	p := operatorPage{
		Events: o.eventLog.latest(), Counts: statistics(o.sessions.Stats()),
		Policy: policyLines(o.sessions.Policy().String()),
	}
	err := o.list(r.Context, &p, r.Query("after"))
	p.Unlisted = errors.Is(err, errors.ErrUnsupported)
	if err != nil && !p.Unlisted {
		return o.Failed(s, err)
	}
	if !s.IsNew() {
		for i := range p.Sessions {
			p.Sessions[i].Here = p.Sessions[i].ID == s.ID()
		}
	}
	return o.page(s, http.StatusOK, "operator", p)
}

// list adds the sessions after a cursor to the page.
func (o *operator) list(ctx context.Context, p *operatorPage, cursor string) error {
	const perPage = 10
	infos, next, err := o.sessions.Page(ctx, cursor, perPage)
	if err != nil {
		return err
	}
	for i := range infos {
		p.Sessions = append(p.Sessions, sessionRow{
			ID: infos[i].ID, Subject: infos[i].Subject, LastSeen: timestamp{infos[i].LastSeen},
		})
	}
	p.First, p.Next = cursor == "", next
	p.Total, err = o.sessions.Count(ctx)
	return err
}

// end ends a session of any user.
func (o *operator) end(s *core.Session, r Request) Response {
	id := r.Field("id")
	if !s.IsNew() && s.ID() == id {
		s.Destroy()
		return Redirect("/operator")
	}
	if err := o.sessions.RevokeByID(r.Context, id); err != nil {
		return o.Failed(s, err)
	}
	return Redirect("/operator")
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
