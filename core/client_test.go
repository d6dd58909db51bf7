package core

import (
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// client is a browser with one cookie jar of the simplest kind.
type client struct {
	t      testing.TB
	m      *Manager
	cookie string // name=value, "" for none
}

// arrive starts a request: the session is attached and loaded.
func (c *client) load() *Session {
	c.t.Helper()
	s := unloadedSession(c.m, c.cookie)
	if err := s.load(c.t.Context()); err != nil {
		c.t.Fatalf("Load: %v", err)
	}
	return s
}

// leave ends a request that must succeed, and keeps its cookie.
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

// visit is one whole request.
func (c *client) request(handler func(s *Session)) adapter.Reply {
	c.t.Helper()
	s := c.load()
	handler(s)
	return c.respond(s)
}

// with returns another request's worth of the same browser: a copy that holds the cookie of now.
func (c *client) clone() *client {
	clone := *c
	return &clone
}

// id returns the id of the client's session, "" for none, without a trace in the session.
func (c *client) id() string {
	c.t.Helper()
	s := c.load()
	if s.IsNew() {
		return ""
	}
	return s.ID()
}

// ticketOf returns the ticket that the client's cookie stands for.
func (c *client) ticket() ticket.Ticket {
	c.t.Helper()
	_, value, _ := strings.Cut(c.cookie, "=")
	got, ok := parseTicket(value)
	if !ok {
		c.t.Fatalf("cookie %q is not a token", c.cookie)
	}
	return got
}

// from is one whole request as an adapter carries it out, sent by v.
func (c *client) requestFrom(v adapter.Client, handler func(s *Session)) {
	c.t.Helper()
	sc := c.openScope(v, func(sc *Scope) { handler(sc.Get()) })
	want(c.t, sc.Close(), nil)
}

// answered is from up to the response, which has begun after the handler.
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

// info returns what a list shows of the client's session.
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

// newSignedIn returns a new browser in which a subject is signed in.
func newSignedIn(tb testing.TB, m *Manager, subject string) *client {
	tb.Helper()
	c := newClient(tb, m)
	c.request(signInAs(tb, subject))
	return c
}

// sameID returns a token for the client's id with another secret.
func tokenWithOtherSecret(c *client) string {
	tk := c.ticket()
	tk.Secret[0] ^= 1
	return textOf(&tk)
}

// read does nothing but use the session.
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

// as returns a handler that signs a subject in.
func signInAs(tb testing.TB, subject string) func(*Session) {
	tb.Helper()
	return func(s *Session) {
		tb.Helper()
		want(tb, s.Login(subject), nil)
	}
}

// visitor is a framework's view of who sends requests.
type sender struct {
	ip, agent string
	asked     int
}

func (v *sender) Client() (ip, userAgent string) {
	v.asked++
	return v.ip, v.agent
}
