package core

import (
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// client is a browser that keeps one cookie.
type client struct {
	t      testing.TB
	m      *Manager
	cookie string // name=value, or "" if there is none
}

// load begins a request and loads its session.
func (c *client) load() *Session {
	c.t.Helper()
	s := unloadedSession(c.m, c.cookie)
	if err := s.load(c.t.Context()); err != nil {
		c.t.Fatalf("Load: %v", err)
	}
	return s
}

// respond ends a request, which must succeed, and keeps the cookie of the response.
func (c *client) respond(s *Session) adapter.Reply {
	c.t.Helper()
	r, err := s.finish(c.t.Context())
	if err != nil {
		c.t.Fatalf("Finish: %v", err)
	}
	c.keepCookie(r)
	return r
}

func (c *client) keepCookie(r adapter.Reply) {
	if r.SetCookie == "" {
		return
	}
	c.cookie, _, _ = strings.Cut(r.SetCookie, ";")
	if strings.HasSuffix(c.cookie, "=") {
		c.cookie = ""
	}
}

// request runs a whole request.
func (c *client) request(handler func(s *Session)) adapter.Reply {
	c.t.Helper()
	s := c.load()
	handler(s)
	return c.respond(s)
}

// clone returns another client of the same browser, with the cookie that it has now.
func (c *client) clone() *client {
	clone := *c
	return &clone
}

// id returns the id of the client's session, or "" if there is none.
func (c *client) id() string {
	c.t.Helper()
	s := c.load()
	if s.IsNew() {
		return ""
	}
	return s.ID()
}

// ticket returns the ticket in the client's cookie.
func (c *client) ticket() ticket.Ticket {
	c.t.Helper()
	_, value, _ := strings.Cut(c.cookie, "=")
	got, ok := parseTicket(value)
	if !ok {
		c.t.Fatalf("cookie %q is not a token", c.cookie)
	}
	return got
}

// requestFrom runs a whole request of v through a scope, as an adapter does.
func (c *client) requestFrom(v adapter.Client, handler func(s *Session)) {
	c.t.Helper()
	sc := c.openScope(v, func(sc *Scope) { handler(sc.Get()) })
	want(c.t, sc.Close(), nil)
}

// openScope runs a request of v through a scope up to the response, whose headers are sent
// after the handler. The caller closes the scope.
func (c *client) openScope(v adapter.Client, handler func(sc *Scope)) *Scope {
	c.t.Helper()
	sc := new(Scope)
	want(c.t, sc.Open(c.t.Context(), nil, c.m, v, c.cookie), nil)
	handler(sc)
	r, err := sc.CommitHeader()
	want(c.t, err, nil)
	c.keepCookie(r)
	return sc
}

// info returns the description of the client's session in a list.
func (c *client) info() Info {
	c.t.Helper()
	info, err := c.m.Lookup(c.t.Context(), c.ticket().ID.String())
	want(c.t, err, nil)
	return info
}

func newClient(tb testing.TB, m *Manager) *client {
	tb.Helper()
	return &client{t: tb, m: m}
}

// newSignedIn returns a new client in whose session the subject is signed in.
func newSignedIn(tb testing.TB, m *Manager, subject string) *client {
	tb.Helper()
	c := newClient(tb, m)
	c.request(signInAs(tb, subject))
	return c
}

// tokenWithOtherSecret returns a token with the id of the client's session and another secret.
func tokenWithOtherSecret(c *client) string {
	tk := c.ticket()
	tk.Secret[0] ^= 1
	return textOf(&tk)
}

// wantShutOut fails the test unless the ticket of the request was overtaken for the reason, so
// that it has no session and can start none.
func wantShutOut(tb testing.TB, what string, s *Session, wanted Reason) {
	tb.Helper()
	reason, ok := s.Overtaken()
	equal(tb, what+": overtaken", ok, true)
	equal(tb, what+": reason", reason, wanted)
	equal(tb, what+": IsNew", s.IsNew(), true)
	equal(tb, what+": subject", s.Subject(), "")
	equal(tb, what+": values", s.Len(), 0)
	want(tb, note.Set(s, "refused"), ErrGone)
	want(tb, s.Save(tb.Context()), ErrGone)
}

// read uses the session and changes nothing.
func read(s *Session) { visits.Get(s) }

// set returns a handler that stores one value.
func set(tb testing.TB, n int) func(*Session) {
	tb.Helper()
	return func(s *Session) {
		tb.Helper()
		if err := visits.Set(s, n); err != nil {
			tb.Errorf("Set: %v", err)
		}
	}
}

func increment(s *Session) { visits.Update(s, func(n int) int { return n + 1 }) }

func renew(s *Session) { _ = s.Renew() }

// signInAs returns a handler that signs a subject in.
func signInAs(tb testing.TB, subject string) func(*Session) {
	tb.Helper()
	return func(s *Session) {
		tb.Helper()
		want(tb, s.Login(subject), nil)
	}
}

// sender says where a request comes from, as a framework does, and counts how often it is
// asked.
type sender struct {
	ip, agent string
	fetch     adapter.Fetch
	asked     int
}

func (v *sender) Fetch() adapter.Fetch { return v.fetch }

func (v *sender) Client() (ip, userAgent string) {
	v.asked++
	return v.ip, v.agent
}
