package core

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/memstore"
)

// Manager holds one configuration of sessions: the store, the cookie and the times. It is safe for concurrent use and
// lives as long as the application. Applications make one through their framework's package and hand it to its middleware.
type Manager struct {
	store   Store
	toucher Toucher // nil: a touch saves the record
	instant bool    // the store's calls cannot wait
	prefix  string

	expiry   time.Duration // 0: permanent
	lifetime time.Duration // 0: none
	grace    time.Duration
	timeout  time.Duration
	maxSize  int
	lazy     bool

	name   string
	cookie cookieWriter
	codec  Codec
	plain  bool // the codec is JSON, whose commonest values need no reflection
	log    *slog.Logger
	events *dispatcher // nil: nobody listens
	purger *purger     // nil: the store needs none

	lanes  [64]chan struct{} // requests that met a conflict queue here, by session, instead of racing each other
	random io.Reader
	newID  func(io.Reader) (uuid.UUID, error)
}

// NewManager checks the options and returns a manager for them, or an error that says what to change. With no store in
// the options it makes a bounded in-memory one.
func NewManager(o Options) (*Manager, error) {
	o.setDefaults()
	o.Cookie.Domain = canonicalDomain(o.Cookie.Domain)
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Store == nil {
		o.Store = memstore.New(memstore.Options{})
	}
	m := &Manager{
		store: o.Store, prefix: o.Prefix,
		expiry: max(o.Expiry, 0), lifetime: o.Lifetime, grace: o.Grace,
		timeout: o.StoreTimeout, maxSize: o.MaxSize, lazy: o.Lazy,
		name: o.Cookie.Name, cookie: newCookieWriter(&o.Cookie),
		codec: o.Codec, log: o.Logger,
		random: rand.Reader, newID: uuid.NewV7FromReader,
	}
	_, m.plain = o.Codec.(JSON)
	m.toucher, _ = o.Store.(Toucher)
	_, m.instant = o.Store.(interface{ Instant() })
	for i := range m.lanes {
		m.lanes[i] = make(chan struct{}, 1)
	}
	if o.OnEvent != nil {
		m.events = newDispatcher(o.OnEvent, o.Logger)
	}
	m.purger = startPurger(m, o.PurgeInterval)
	return m, nil
}

// canonicalDomain drops the one leading dot that older configurations carry, and spells the domain as it is compared.
func canonicalDomain(domain string) string {
	if len(domain) > 1 {
		domain = strings.TrimPrefix(domain, ".")
	}
	return strings.ToLower(domain)
}

// CookieName returns the name of the manager's cookie, so that an adapter can replace the cookie it set before.
func (m *Manager) CookieName() string { return m.name }

// Lazy reports whether sessions are loaded only when the handler asks.
func (m *Manager) Lazy() bool { return m.lazy }

// Close ends the purge of expired records, delivers the events that wait for [Options.OnEvent] and ends the manager's
// goroutines, if it has any. It returns the context's error when the store or the hook does not let it. The store belongs to
// whoever made it and stays open, to be closed after the manager; the manager's own needs no closing. Sessions can still be
// used afterwards, but nobody is told of it.
func (m *Manager) Close(ctx context.Context) error {
	if err := m.purger.close(ctx); err != nil || m.events == nil {
		return err
	}
	return m.events.close(ctx)
}

// Attach prepares s, a zero Session, for one request with these Cookie field values, which are read but not kept. It
// makes no store call. Adapters call it first, then Load unless the manager is lazy.
func (m *Manager) Attach(s *Session, cookieFields ...string) {
	s.manager = m
	s.tickets = findTickets(s.inline[:0], m.name, cookieFields)
}

// bound puts the store timeout on a call, unless the store cannot wait.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.timeout)
}

// failed wraps an error of the store once, with the operation, so that callers can tell an outage from everything else.
func failed(operation string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrStore, operation, err)
}

// newTicket draws the id and the secret of a new session.
func (m *Manager) newTicket() (ticket, error) {
	id, err := m.newID(m.random)
	if err != nil {
		return ticket{}, fmt.Errorf("sessions: drawing a session id: %w", err)
	}
	s, err := newSecret(m.random)
	if err != nil {
		return ticket{}, err
	}
	return ticket{id: id, secret: s}, nil
}
