package core

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// work is one commit under way.
type work struct {
	admitted // the base, and the ticket that opens it
	kind     workKind
	began    string // the session's key when the commit began
	doomed   grave  // a session to delete first
	delta    delta
	now      time.Time
	sealed   bool // no cookie can be sent any more
	stale    bool // the updates were worked out over a base that has changed since
	merged   bool // another request's changes were merged with these
	login    bool // a subject signed in
	renewal  bool // the secret was changed
	cookie   bool // a cookie is due when the save succeeds
}

type workKind uint8

const (
	workNone workKind = iota
	workCreate
	workReplace
	workTouch
)

// begin takes the pending changes for a commit. Without work there is nothing to do; an error beside it stops the save, but
// not the deletion of a destroyed session.
func (s *Session) begin() (*work, error) {
	s.mu.Lock()
	defer s.unlock()
	now := time.Now()
	kind := s.due(now)
	if s.err != nil {
		kind = workNone
	}
	if kind == workNone && s.doomed.key == "" {
		return nil, s.err
	}
	w := &work{
		kind: kind, began: s.key, doomed: s.doomed, now: now, sealed: s.sealed,
		admitted: admitted{snap: s.base, ticket: s.ticket},
	}
	if kind == workNone || kind == workTouch {
		return w, s.err
	}
	err := s.take(w)
	if err != nil {
		w.kind = workNone
	}
	return w, err
}

// take moves the pending changes into w, unless they need a cookie that can no longer be sent.
func (s *Session) take(w *work) error {
	if s.sealed && (w.kind == workCreate || s.pending.secret != secretKeep || s.pending.expiry != nil) {
		s.pending = delta{}
		s.late = true
		return ErrLate
	}
	if s.key == "" {
		if err := s.mint(); err != nil {
			return err
		}
	}
	w.began, w.ticket, w.snap.rec.Key = s.key, s.ticket, s.key
	w.delta, s.saving, s.pending = s.pending, s.pending, delta{}
	w.stale, s.stale = s.stale, false
	return nil
}

// due says what the next commit has to do.
func (s *Session) due(now time.Time) workKind {
	switch {
	case s.state == stateNew && s.pending.creates():
		return workCreate
	case s.state != stateLive:
		return workNone
	case !s.pending.empty():
		return workReplace
	case !s.sealed && s.manager.touchDue(&s.base.head, now.UnixMilli()):
		return workTouch
	}
	return workNone
}

// carryOut does the work and settles the session with its outcome.
func (s *Session) carryOut(ctx context.Context, w *work) error {
	var err error
	if w.stale {
		if w.delta, err = w.delta.rebased(&w.snap); err != nil {
			s.giveBack(w)
			return err
		}
	}
	switch w.kind {
	case workCreate:
		err = s.manager.create(ctx, w)
	case workReplace:
		err = s.manager.replace(ctx, w)
	case workTouch:
		err = s.manager.touch(ctx, w)
	case workNone:
		return nil
	}
	switch {
	case err == nil:
		s.install(w)
	case errors.Is(err, ErrNotFound):
		s.giveUp(w)
		return nil
	case w.kind == workTouch:
		// What the handler read is good; the next request extends the session's life.
		return nil
	default:
		s.giveBack(w)
	}
	return err
}

// install makes what was saved the session's new base.
func (s *Session) install(w *work) {
	s.mu.Lock()
	if s.key != w.began {
		// Destroy came while the save was under way, so what was saved is to go again.
		s.doomed = grave{key: w.snap.rec.Key, subject: string(w.snap.head.subject), ticket: w.ticket}
		s.mu.Unlock()
		return
	}
	s.state, s.base, s.ticket, s.key = stateLive, w.snap, w.ticket, w.snap.rec.Key
	s.saving = delta{}
	// What other goroutines changed meanwhile was worked out over the base before the merge.
	s.stale = (w.merged || w.stale) && !s.pending.empty()
	if w.cookie {
		s.cookie = cookieSet
	}
	s.mu.Unlock()
	s.manager.announce(w)
}

// announce tells the hook what a commit did.
func (m *Manager) announce(w *work) {
	if m.events == nil {
		return
	}
	e := Event{SessionID: m.idOf(w.snap.rec.Key), Subject: string(w.snap.head.subject)}
	tell := func(kind EventKind, when bool) {
		if e.Kind = kind; when {
			m.emit(e)
		}
	}
	tell(EventCreated, w.kind == workCreate)
	tell(EventMerged, w.merged && w.kind == workReplace)
	tell(EventCommitted, w.kind == workReplace)
	tell(EventTouched, w.kind == workTouch)
	tell(EventLogin, w.login)
	tell(EventRenewed, w.renewal && !w.login)
}

// giveUp settles a session that was ended elsewhere: what it changed is dropped and nothing is sent.
func (s *Session) giveUp(w *work) {
	s.mu.Lock()
	if s.key == w.began {
		s.state, s.saving, s.pending, s.cookie = stateGone, delta{}, delta{}, cookieKeep
		s.lost = w.kind != workTouch
	}
	e := Event{Kind: EventGone, SessionID: s.manager.idOf(w.began), Subject: string(w.snap.head.subject), Err: ErrGone}
	s.mu.Unlock()
	s.manager.emit(e)
}

// giveBack makes the changes of a failed commit pending again.
func (s *Session) giveBack(w *work) {
	if w.kind != workCreate && w.kind != workReplace {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saving.follow(s.pending)
	s.pending, s.saving = s.saving, delta{}
	s.stale = s.stale || w.stale
}

// saveError tells apart what the caller can do about a failed save.
func (m *Manager) saveError(ctx context.Context, k string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		return err
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("sessions: save: %w", err)
	}
	return m.outage(ctx, "save", k, err)
}
