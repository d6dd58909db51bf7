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
	doomed   *grave // a session to delete first
	delta    *delta
	now      time.Time
	device   *device // where the request came from, nil where that is not to be recorded
	idle     bool    // the handler changed nothing: the secret's age alone asks for a new one
	sealed   bool    // no cookie can be sent any more
	stale    bool    // the updates were worked out over a base that has changed since
	merged   bool    // another request's changes were merged with these
	login    bool    // a subject signed in
	renewal  bool    // the secret was changed
	cookie   bool    // a cookie is due when the save succeeds
	undoable bool    // the save may have to be undone
	undone   bool    // it was, and the base is what is stored now
	before   *work   // as it was before the save, for that
}

// keep notes what the work is before a save that may have to be undone.
func (w *work) keep() {
	if w.undoable {
		before := *w
		before.before = nil
		w.before, w.undone = &before, false
	}
}

type workKind uint8

const (
	workNone workKind = iota
	workCreate
	workReplace
	workTouch
)

// idle reports whether a commit has nothing to do, and why it fails all the same. It is apart from begin so that requests
// which only read, which is most of them, do not pay for the room that work takes. It expects s.mu to be held.
//
// Nor is there anything to do for a client that has gone away when the handler has changed nothing: a new secret would not
// reach it, and its old one would look stolen later.
//
// For brief see isCalm.
func (s *Session) idle(ctx context.Context, brief bool) (bool, error) {
	if s.doomed != nil {
		return false, s.err
	}
	if s.err != nil {
		return true, s.err
	}
	if !s.pending.empty() {
		return s.state != stateLive && (s.state != stateNew || !s.pending.creates()), nil
	}
	if s.state != stateLive || s.sealed || s.isCalm(brief) {
		return true, nil
	}
	kind, _ := s.due(time.Now().UnixMilli())
	return kind == workNone || ctx.Err() != nil, nil
}

// begin takes the pending changes for a commit. An error stops the save, but not the deletion of a destroyed session.
func (s *Session) begin(w *work) error {
	s.mu.Lock()
	defer s.unlock()
	s.busy.Store(true)
	w.now, w.began, w.doomed, w.device, w.sealed = time.Now(), s.key(), s.doomed, s.device, s.sealed
	if s.err != nil {
		return s.err
	}
	kind, old := s.due(w.now.UnixMilli())
	w.snap, w.ticket, w.kind = s.snap, s.ticket, kind
	switch kind {
	case workNone:
		return nil
	case workTouch:
		w.delta = &delta{}
		return nil
	case workCreate, workReplace:
	}
	if w.idle = old && s.pending.empty(); old {
		s.change().secret = secretRenew
	}
	err := s.take(w)
	if err != nil {
		w.kind = workNone
	}
	return err
}

// take moves the pending changes into w, unless they need a cookie that can no longer be sent.
func (s *Session) take(w *work) error {
	if s.sealed && (w.kind == workCreate || s.pending.secret != secretKeep || s.pending.policy()) {
		s.pending = nil
		s.late = true
		return ErrLate
	}
	if s.key() == "" {
		if err := s.mint(w.now); err != nil {
			return err
		}
		w.began, w.ticket, w.snap.rec.Key = s.key(), s.ticket, s.key()
	}
	w.delta, s.saving, s.pending = s.pending, s.pending, nil
	w.stale, s.stale = s.stale, false
	return nil
}

// due says what the next commit has to do, and whether the secret is so old that it is to be renewed with it.
func (s *Session) due(now int64) (kind workKind, old bool) {
	old = s.old(now)
	switch {
	case s.state == stateNew && s.pending.creates():
		kind = workCreate
	case s.state == stateLive && (old || !s.pending.empty()):
		kind = workReplace
	case s.state == stateLive && !s.sealed && s.manager.touchDue(&s.snap.life, now):
		kind = workTouch
	}
	return kind, old
}

// old reports whether the secret is to be renewed for its age. A request that came with the former secret follows the
// renewal that has just been.
func (s *Session) old(now int64) bool {
	return s.state == stateLive && !s.sealed && !s.follows && (s.pending == nil || s.pending.secret == secretKeep) &&
		s.manager.renewDue(&s.snap, now)
}

// carryOut does the work and settles the session with its outcome.
func (s *Session) carryOut(ctx context.Context, w *work) error {
	var err error
	if w.stale {
		if w.delta, err = w.delta.rebased(&w.snap); err != nil {
			s.giveBack(w, err)
			return err
		}
	}
	switch w.kind {
	case workCreate, workReplace:
		err = s.manager.signIn(ctx, w)
	case workTouch:
		err = s.manager.touch(ctx, w)
	case workNone:
		return nil
	}
	switch {
	case err == nil:
		s.install(ctx, w)
		return nil
	case errors.Is(err, ErrNotFound):
		s.giveUp(ctx, w)
		return nil
	case w.kind == workTouch:
		// What the handler read is good; the next request extends the session's life.
		s.manager.refused(ctx, w, err)
		return nil
	case w.idle:
		// Likewise; the next request renews.
		s.manager.refused(ctx, w, err)
		s.forgo(w)
		return nil
	}
	s.giveBack(w, err)
	return err
}

// install makes what was saved the session's new base.
func (s *Session) install(ctx context.Context, w *work) {
	s.mu.Lock()
	if s.key() != w.began {
		// Destroy came while the save was under way, so what was saved is to go again.
		s.doomed = &grave{key: w.snap.rec.Key, subject: w.snap.subject(), ticket: w.ticket}
		s.mu.Unlock()
		return
	}
	s.state, s.snap, s.ticket, s.saving = stateLive, w.snap, w.ticket, nil
	s.stir()
	// What other goroutines changed meanwhile was worked out over the base before the merge.
	s.stale = (w.merged || w.stale) && !s.pending.empty()
	if w.cookie {
		s.cookie = cookieSet
	}
	s.mu.Unlock()
	s.manager.announce(ctx, w)
}

// announce tells what a commit did.
func (m *Manager) announce(ctx context.Context, w *work) {
	tell := func(kind EventKind, when bool) {
		if when {
			m.tell(ctx, kind, &w.snap)
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
func (s *Session) giveUp(ctx context.Context, w *work) {
	s.mu.Lock()
	if s.key() == w.began {
		s.state, s.saving, s.pending, s.cookie = stateGone, nil, nil, cookieKeep
		s.lost = w.kind != workTouch && !w.idle
	}
	e := Event{Kind: EventGone, SessionID: s.manager.idOf(w.began), Subject: w.snap.subject(), Err: ErrGone}
	s.mu.Unlock()
	s.manager.emit(ctx, e)
}

// forgo drops a renewal that failed and that no handler asked for.
func (s *Session) forgo(w *work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key() == w.began {
		s.saving = nil
	}
}

// giveBack makes the changes of a failed commit pending again. With a login that the limit refused they are dropped: what a
// handler changes for who signs in is not for who was there before.
func (s *Session) giveBack(w *work, err error) {
	if w.kind != workCreate && w.kind != workReplace {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, ErrLimit):
		s.stale = !s.pending.empty()
	case s.saving != nil: // else Destroy came meanwhile
		s.saving.follow(s.pending)
		s.pending, s.stale = s.saving, s.stale || w.stale
	}
	s.saving = nil
	if w.undone && s.key() == w.began { // likewise
		s.snap, s.ticket = w.snap, w.ticket
		s.stir()
		s.stale = s.stale || w.merged
	}
}

// refused tells of a store that finds a record too large in which the handler has changed nothing. Other failures have been
// told of.
func (m *Manager) refused(ctx context.Context, w *work, err error) {
	if errors.Is(err, ErrTooLarge) {
		_ = m.outage(ctx, "save", w.snap.rec.Key, err)
	}
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
