package core

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/canonical"
)

// Load brings the session in from the store, unless it is there already. A request without a well-formed token costs no
// store call. A token that the store does not know makes a new session, not an error; an error is always the store's
// ([ErrStore]) and the handler must not take it for a visitor without a session. It may be called again after an error,
// unless the session was used meanwhile: then the commit fails with that error.
func (s *Session) Load(ctx context.Context) error {
	if !s.unloaded.Load() {
		return nil // without waiting for a commit, which may be what is calling
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if !s.unloaded.Load() {
		return nil
	}
	s.busy.Store(true)
	defer s.busy.Store(false)
	var found admitted
	err := s.manager.first(ctx, s.tickets, &found)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admitted = found
	return s.arrive(err)
}

// loadAlone is Load for a session that nobody else has yet: without a lock, and without a copy of what was found.
func (s *Session) loadAlone(ctx context.Context, presented *tickets) error {
	err := s.manager.first(ctx, presented, &s.admitted)
	if err != nil {
		s.keep(*presented) // somebody may try again
		s.unloaded.Store(true)
	}
	return s.arrive(err)
}

// present takes the tickets out of the request's Cookie fields.
func (s *Session) present(cookieFields ...string) {
	s.tickets = nil
	s.unloaded.Store(true)
	var presented tickets
	if presented.find(s.manager.name, cookieFields); presented.n > 0 {
		s.keep(presented)
	}
}

func (s *Session) keep(presented tickets) { s.tickets = &presented }

// arrive settles the session with what was found, and returns err.
func (s *Session) arrive(err error) error {
	s.loadErr = err
	switch {
	case err != nil:
		s.admitted = admitted{}
		return err
	case s.snap.stored():
		s.state = stateLive
		if s.renewed {
			s.cookie, s.follows = cookieSet, true
		}
	default:
		s.state = stateNew
	}
	s.tickets = nil
	if s.unloaded.Load() { // else nobody else has it, and to store is dearer than to look
		s.unloaded.Store(false)
	}
	return nil
}

// admitted is a stored session whose secret a request has proved to know.
type admitted struct {
	snap    snapshot
	ticket  ticket        // with the current secret
	renewed bool          // the request still held the previous one, so its cookie must follow
	long    bool          // the calm lasts for longer than soon
	calm    time.Duration // since the manager's epoch: until then neither a touch nor a renewal falls due
}

// first finds the session of the first ticket that has one, and leaves a zero a if none has.
func (m *Manager) first(ctx context.Context, ts *tickets, a *admitted) error {
	if ts == nil || ts.n == 0 {
		return nil
	}
	ctx, cancel := m.bound(ctx)
	defer cancel()
	var reused []snapshot
	for i := range ts.n {
		err := m.open(ctx, a, ts.at(i))
		switch {
		case err == nil:
			return m.reusedAll(ctx, reused, ts.at(i))
		case errors.Is(err, errReused):
			reused = append(reused, a.snap)
		case !errors.Is(err, ErrNotFound):
			return err
		}
		*a = admitted{}
	}
	return m.reusedAll(ctx, reused, nil)
}

// reusedAll deals with the secrets of a request that were replaced, but for those of the session that the request opens:
// a browser may hold an old cookie beside the new one, after a change of its domain or path.
func (m *Manager) reusedAll(ctx context.Context, reused []snapshot, opened *ticket) error {
	for i := range reused {
		if opened != nil && reused[i].rec.Key == key(m.prefix, opened.id) {
			continue
		}
		if err := m.reused(ctx, &reused[i]); err != nil {
			return err
		}
	}
	return nil
}

// open loads the session of one ticket: ErrNotFound if there is none that the ticket opens.
func (m *Manager) open(ctx context.Context, a *admitted, t *ticket) error {
	if m.memory != nil {
		return m.glance(ctx, a, t)
	}
	k := key(m.prefix, t.id)
	rec, err := m.load(ctx, k)
	if err != nil {
		return m.loadError(ctx, k, err)
	}
	if err = m.admit(ctx, a, &rec, t); err == nil {
		m.tell(ctx, EventLoaded, &a.snap)
	}
	return err
}

// glance is open for the memory store: with one look at the clock, and without the text that is the key unless there is
// something to tell of.
func (m *Manager) glance(ctx context.Context, a *admitted, t *ticket) error {
	now := time.Now()
	if err := m.memory.LoadAt(m.prefix, (*canonical.ID)(&t.id), now, &a.snap.rec); err != nil {
		return m.loadError(ctx, key(m.prefix, t.id), err)
	}
	if err := m.verify(a, t, now); err != nil {
		a.snap.rec.Key = key(m.prefix, t.id)
		return m.declined(ctx, &a.snap, err)
	}
	m.tally.count(EventLoaded, t.id[15])
	return nil
}

// reused deals with a secret that was the session's once: two parties hold it, and one of them is not its user.
func (m *Manager) reused(ctx context.Context, snap *snapshot) error {
	e := m.eventOf(EventReused, snap)
	e.Err = errReused
	m.report(ctx, slog.LevelWarn, e)
	if !m.revokeOnReuse {
		return nil
	}
	ctx, cancel := m.outlive(ctx) // hanging up does not save the thief
	defer cancel()
	return m.revoke(ctx, snap, ReasonReuse)
}

// idOf returns the session id in a store key.
func (m *Manager) idOf(k string) string { return k[len(m.prefix):] }

// loadError passes ErrNotFound on and makes an outage of everything else.
func (m *Manager) loadError(ctx context.Context, k string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrNotFound
	}
	return m.outage(ctx, "load", k, err)
}

// outage reports a failure of the store and wraps it. A client that has gone away is not worth a line to the operator.
func (m *Manager) outage(ctx context.Context, operation, k string, err error) error {
	err = failed(operation, err)
	level := slog.LevelError
	if errors.Is(ctx.Err(), context.Canceled) {
		level = slog.LevelDebug
	}
	e := Event{Kind: EventStoreFailed, Operation: operation, Err: err}
	if k != "" {
		e.SessionID = m.idOf(k)
	}
	m.report(ctx, level, e)
	return err
}

var (
	errOtherCookie = errors.New("sessions: record belongs to a cookie of another name")
	errOtherSecret = errors.New("sessions: secret is not the session's")
	errPolicy      = errors.New("sessions: session has expired")
	errReused      = fmt.Errorf("%w: its secret was replaced and the grace is over", ErrNotFound)
)

// admit verifies a record, and reports what is wrong with it.
func (m *Manager) admit(ctx context.Context, a *admitted, rec *Record, t *ticket) error {
	a.snap.rec = *rec
	if err := m.verify(a, t, time.Now()); err != nil {
		return m.declined(ctx, &a.snap, err)
	}
	return nil
}

// declined reports why verify did not let a ticket open a record. To the caller there is no such session: ErrNotFound. For a
// secret that was good once it is errReused, which is for the caller to report.
func (m *Manager) declined(ctx context.Context, snap *snapshot, err error) error {
	switch {
	case errors.Is(err, errReused):
		return err
	case errors.Is(err, errOtherCookie), errors.Is(err, errOtherSecret):
		return m.turnAway(ctx, snap, EventRefused, err)
	case errors.Is(err, errPolicy):
		m.forget(ctx, snap)
		return m.turnAway(ctx, snap, EventExpired, err)
	}
	m.report(ctx, slog.LevelWarn, Event{Kind: EventUndecodable, SessionID: m.idOf(snap.rec.Key), Err: err})
	return ErrNotFound
}

// verify checks the record in a against the ticket that names it, and fills a with what both say. It fails with errFormat or
// errDamaged, and then only a.snap.rec is of use, or with errOtherCookie, errOtherSecret, errReused or errPolicy.
func (m *Manager) verify(a *admitted, t *ticket, now time.Time) error {
	if err := a.snap.decode(); err != nil {
		return err
	}
	a.ticket, a.renewed = *t, false
	a.snap.settleTouch(now.UnixMilli())
	if string(a.snap.name()) != m.name {
		return errOtherCookie
	}
	switch a.try(now.UnixMilli(), m.grace) {
	case fitNever:
		return errOtherSecret
	case fitOnce:
		return errReused
	case fitNow:
	}
	if m.expired(&a.snap, now) {
		return errPolicy
	}
	a.setCalm(m, now)
	return nil
}

// turnAway tells the hook why a token does not open its session. To the caller there is no such session.
func (m *Manager) turnAway(ctx context.Context, snap *snapshot, kind EventKind, why error) error {
	e := m.eventOf(kind, snap)
	e.Err = why
	m.emit(ctx, e)
	return ErrNotFound
}

// fit says how a secret fits a session.
type fit uint8

const (
	fitNever fit = iota // it does not, and nothing says that it ever did
	fitOnce             // it was replaced, and its grace is over
	fitNow              // it opens the session
)

// try tries the ticket's secret: the current one opens the session, and so does a former one within its grace, which
// then is exchanged for the current one. While the latest grace lasts, none counts as used again: the browser may still
// be sending the one before it.
func (a *admitted) try(now int64, grace time.Duration) fit {
	current := a.snap.digest()
	if current.matches(&a.ticket.secret) {
		return fitNow
	}
	lineage := a.snap.holder().lineage
	if next, ok := lineage.follow(a.ticket.secret, current, now); ok {
		a.ticket.secret, a.renewed = next, true
		return fitNow
	}
	if lineage.bore(&a.ticket.secret) && now >= lineage.renewed()+grace.Milliseconds() {
		return fitOnce
	}
	return fitNever
}

// forget deletes a record whose time is over by a policy that is shorter than the one it was stored under. If that fails,
// the record is as dead as before.
func (m *Manager) forget(ctx context.Context, snap *snapshot) {
	_ = m.remove(ctx, snap.rec.Key)
}

// subjectKey returns the index key of a subject. Hashing keeps hostile and very long names out of the store's key space,
// and people's names out of its index; lengths keep the parts from running into each other.
func (m *Manager) subjectKey(subject string) string {
	h := sha256.New()
	for _, part := range [...]string{m.name, m.prefix, subject} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
