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
	toucher Toucher         // nil: a touch saves the record
	indexer Indexer         // nil: no list of a subject's sessions
	lister  Lister          // nil: no list of all sessions
	counter Counter         // nil: to count is to list
	instant bool            // the store's calls cannot wait
	memory  *memstore.Store // the store, if it is that one and nobody listens to events
	prefix  string

	expiry        time.Duration // 0: permanent
	maxExpiry     time.Duration // for a session's own idle timeout; 0: none
	lifetime      time.Duration // 0: none
	renewEvery    time.Duration // 0: never
	grace         time.Duration
	revokeOnReuse bool
	maxSessions   int // 0: any number
	onLimit       Limit
	noDevice      bool
	timeout       time.Duration
	maxSize       int
	lazy          bool
	preset        Preset

	name      string
	nameBytes []byte // the same, as records hold it
	cookie    cookieWriter
	codec     Codec
	plain     bool // the codec is JSON, whose commonest values need no reflection
	log       *slog.Logger
	events    *dispatcher // nil: nobody listens
	purger    *purger     // nil: the store needs none
	timed     bool        // the store's calls are measured

	tooLate Session // stands for no session in a scope: one that is made from now on can send no cookie; never used

	tally tally
	epoch time.Time // when the manager was made, to measure time from

	lanes  lanes // requests that met a conflict queue here, by session, instead of racing each other
	doors  lanes // logins queue here, by subject, where sessions are limited
	random io.Reader
	newID  func(random io.Reader, now time.Time, id *uuid.UUID) error
}

// NewManager checks the options and returns a manager for them, or an error that says what to change. With no store in
// the options it makes a bounded in-memory one.
func NewManager(o Options) (*Manager, error) {
	if err := o.applyPreset(); err != nil {
		return nil, err
	}
	o.setDefaults()
	o.Cookie.Domain = canonicalDomain(o.Cookie.Domain)
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Store == nil {
		o.Store = memstore.New(memstore.Options{})
	}
	if err := o.checkIndex(); err != nil {
		return nil, err
	}
	m := &Manager{
		store: o.Store, prefix: o.Prefix,
		expiry: max(o.Expiry, 0), lifetime: o.Lifetime, renewEvery: o.RenewEvery, grace: max(o.Grace, 0),
		revokeOnReuse: o.RevokeOnReuse, maxSessions: o.MaxSessions, onLimit: o.OnLimit, noDevice: o.NoDevice, preset: o.Preset,
		timeout: o.StoreTimeout, maxSize: o.MaxSize, lazy: o.Lazy,
		name: o.Cookie.Name, nameBytes: []byte(o.Cookie.Name), cookie: newCookieWriter(&o.Cookie),
		codec: o.Codec, log: o.Logger,
		random: rand.Reader, newID: newID, epoch: time.Now(),
	}
	_, m.plain = o.Codec.(JSON)
	m.toucher, _ = o.Store.(Toucher)
	_, m.instant = o.Store.(interface{ Instant() })
	m.maxExpiry, _ = o.Preset.limits()
	m.indexer, _ = o.Store.(Indexer)
	m.counter, _ = o.Store.(Counter)
	m.lister, _ = o.Store.(Lister)
	m.lanes, m.doors = newLanes(), newLanes()
	if o.OnEvent != nil {
		m.events, m.timed = newDispatcher(o.OnEvent, o.Logger), o.StoreEvents
	}
	if m.events == nil {
		// By its type, since whatever wraps the store may have a Load of its own.
		m.memory, _ = o.Store.(*memstore.Store)
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
		return err // it may be called again
	}
	return m.events.close(ctx)
}

// Attach prepares s, a zero Session, for one request with these Cookie field values, which are read but not kept. It
// makes no store call; [Session.Load] follows. It is for those who carry a session through a request by hand, as tests
// do. Adapters use a [Scope].
func (m *Manager) Attach(s *Session, cookieFields ...string) {
	s.manager = m
	s.present(cookieFields...)
}

// bound puts the store timeout on a call, unless the store cannot wait.
func (m *Manager) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.timeout)
}

// outlive is bound for what has to be done even when the client has gone away: the values of the request stay, its
// cancellation does not.
func (m *Manager) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	if m.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), m.timeout)
}

// failed wraps an error of the store once, with the operation, so that callers can tell an outage from everything else.
func failed(operation string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrStore, operation, err)
}

// newTicket draws the id and the secret of a new session.
func (m *Manager) newTicket(now time.Time) (t ticket, err error) {
	err = m.drawTicket(&t, now)
	return t, err
}

// drawTicket is newTicket into a ticket that lies somewhere already, which saves allocating one.
func (m *Manager) drawTicket(t *ticket, now time.Time) (err error) {
	if err = m.newID(m.random, now, &t.id); err != nil {
		*t = ticket{}
		return fmt.Errorf("sessions: drawing a session id: %w", err)
	}
	if err = t.secret.draw(m.random); err != nil {
		*t = ticket{}
	}
	return err
}
