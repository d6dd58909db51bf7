package core

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// load loads the session from the store, unless it has been loaded. A request without a
// well-formed ticket needs no call of the store. A ticket that the store does not know starts a
// new session; it is not an error. An error is always a failure of the store, and must not be
// mistaken for a visitor without a session. After an error, load may be called again, unless
// the session was used meanwhile: the commit then fails with that error.
func (s *Session) load(ctx context.Context) error {
	if !s.unloaded.Load() {
		return nil // Do not wait: the caller may be an update that the commit runs.
	}
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if !s.unloaded.Load() {
		return nil
	}
	s.inFlight.Store(true)
	defer s.inFlight.Store(false)
	var found verified
	others, err := s.manager.records.openFirst(ctx, &s.beside.tickets, &found)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified = found
	return s.loaded(others, err)
}

// loadUnshared is load for a session that no other goroutine can reach yet. It needs no lock,
// and no copy of what it finds.
func (s *Session) loadUnshared(ctx context.Context, presented *cookie.Tickets) error {
	others, err := s.manager.records.openFirst(ctx, presented, &s.verified)
	if err != nil { // The handler may try again.
		s.keepTickets(*presented)
	}
	return s.loaded(others, err)
}

// setTickets takes the tickets from the request's Cookie fields, for a session that is loaded
// later. If there are none, nothing needs to be loaded.
func (s *Session) setTickets(cookieFields ...string) {
	var presented cookie.Tickets
	if presented.Find(s.manager.keyspace.cookieName, cookieFields); presented.Len() == 0 {
		s.ticketless = true
		_ = s.loaded(nil, nil)
		return
	}
	s.keepTickets(presented)
}

// keepTickets keeps the tickets for a load that is still to come. It takes a copy, so that the
// caller's tickets stay on the stack if there is nothing to keep.
func (s *Session) keepTickets(presented cookie.Tickets) {
	s.beside = &besideBase{tickets: presented}
	s.unloaded.Store(true)
}

// loaded sets the state of the session after a load, and returns err.
func (s *Session) loaded(others []sessionRef, err error) error {
	if err != nil {
		s.beside.loadErr, s.verified = err, verified{}
		return err
	}
	s.beside = s.beside.afterLoad(others)
	switch {
	case s.standing.overtaken():
		s.beside = s.beside.withOvertaker(new(s.verified))
		s.status, s.verified, s.startedLate = statusGone, verified{}, true
	case s.snap.Stored():
		s.becomeLive()
	default:
		s.status = statusNew
	}
	if s.unloaded.Load() { // Usually it is false already, and a read is cheaper.
		s.unloaded.Store(false)
	}
	return nil
}

// becomeLive sets the state of a session whose ticket opens it.
func (s *Session) becomeLive() {
	s.status = statusLive
	s.undeliveredYet = s.undelivered()
	// With a former secret the current one is not known, so no cookie can be sent.
	s.cookieOutdated = s.standing == standingRetired || s.standing == standingFormer
	if s.standing == standingRetired {
		s.cookie = cookieSet
	}
}

// openFirst loads the session of the first ticket that opens one into v. If none does, it leaves
// in v a record whose ticket was overtaken, or leaves v zero. It returns the sessions that the
// other tickets open.
func (r *records) openFirst(
	ctx context.Context, tickets *cookie.Tickets, v *verified,
) (others []sessionRef, err error) {
	ctx, cancel := r.withTimeout(ctx)
	defer cancel()
	var reused []record.Snapshot
	var overtaken *verified
	for i := range tickets.Len() {
		err := r.openAndCheck(ctx, v, tickets.At(i))
		switch {
		case err == nil && tickets.Len() == 1: // nearly always
			return nil, nil
		case err == nil:
			others = r.openOthers(ctx, tickets, i+1, v)
			return others, r.handleReuses(ctx, reused, tickets.At(i))
		case errors.Is(err, errReused):
			reused = append(reused, v.snap)
		case errors.Is(err, errOvertaken) && overtaken == nil:
			overtaken = new(*v)
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
		*v = verified{}
	}
	if overtaken != nil {
		*v = *overtaken
	}
	return nil, r.handleReuses(ctx, reused, nil)
}

// openOthers returns the sessions that the tickets from first on open, beside the one in v. A
// browser has several if the domain or the path of the cookie was changed. A failure does no
// harm: the session in v is open.
func (r *records) openOthers(
	ctx context.Context, tickets *cookie.Tickets, first int, v *verified,
) (others []sessionRef) {
	for i := first; i < tickets.Len(); i++ {
		var other verified
		t := tickets.At(i)
		if t.ID == v.ticket.ID || r.openAndCheck(ctx, &other, t) != nil {
			continue
		}
		ref := sessionRef{
			key: r.key(t.ID), subject: other.snap.Subject(), ticket: *t, actor: other.snap.Actor(),
		}
		if own, ok := ref.ofActor(r.keyspace); ok {
			others = append(others, own)
		}
		others = append(others, ref)
		r.report(slog.LevelWarn, Event{
			Kind: EventSeveral, SessionID: v.ticket.ID.String(), Subject: v.snap.Subject(),
			Err: errSeveral, Context: ctx,
		})
	}
	return others
}

var errSeveral = errors.New("sessions: the browser has cookies of several sessions, probably " +
	"because their domain or path was changed; list the old ones in Options.FormerCookies")

// handleReuses reports the sessions whose replaced secret the request presented, except for the
// session that it opened: after a change of its domain or path, a browser may send an old
// cookie beside the new one.
func (r *records) handleReuses(
	ctx context.Context, reused []record.Snapshot, opened *ticket.Ticket,
) error {
	for i := range reused {
		if opened != nil && reused[i].Record.Key == r.key(opened.ID) {
			continue
		}
		if err := r.handleReuse(ctx, &reused[i]); err != nil {
			return err
		}
	}
	return nil
}
