package core

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// settle brings the session up to date with the outcome of a commit and returns the error that
// the commit returns. It emits the events of the commit.
func (s *Session) settle(ctx context.Context, p *commitPlan, o *outcome, err error) error {
	switch {
	case p.err != nil || p.toDelete != nil && !o.deleted || isValueError(err):
		s.requeue(p, err)
		return err
	case p.delta == nil: // There was nothing to save.
		return nil
	case err == nil:
		s.onSaved(ctx, p, o)
		return nil
	case errors.Is(err, ErrNotFound) && errors.Is(err, ErrStore):
		s.onGone(ctx, p, o)
		return err
	case errors.Is(err, ErrNotFound):
		s.onGone(ctx, p, o)
		return nil
	case errors.Is(err, errRevokedMeanwhile):
		s.onGone(ctx, p, o)
		return err
	case p.kind == planTouch || p.renewalOnly:
		// What the handler read is right. The next request touches or renews the session.
		s.dropRenewal(ctx, p, err)
		if p.keepAlive {
			return err
		}
		return nil
	}
	s.requeue(p, err)
	return err
}

// onDeleted notes that the session that Destroy ended has been deleted.
func (s *Session) onDeleted(ctx context.Context, ref *sessionRef, notOwned bool) {
	id := s.manager.keyspace.idOf(ref.key)
	e := Event{
		Kind: EventDestroyed, SessionID: id, Subject: ref.subject, Actor: ref.actor.Subject,
		Context: ctx,
	}
	s.mu.Lock()
	if notOwned {
		// Somebody has signed in with this session meanwhile, and the browser may have the
		// cookie of that login.
		s.cookie, e.Kind, e.Err = cookieKeep, EventGone, ErrGone
		if s.status == statusNew && s.latestLogin() == nil {
			s.status, s.saving, s.pending, s.goneReported = statusGone, nil, nil, true
		}
	}
	if s.toDelete == ref {
		s.toDelete = nil
	}
	s.mu.Unlock()
	s.manager.observer.emit(e)
}

// onSaved makes what was saved the base of the session.
func (s *Session) onSaved(ctx context.Context, p *commitPlan, o *outcome) {
	s.mu.Lock()
	if s.key() != p.keyAtStart {
		// Destroy came while the save was running, so what was saved has to be deleted.
		saved := &sessionRef{
			key: o.snap.Record.Key, subject: o.snap.Subject(), ticket: o.ticket,
			unsent: p.kind == planCreate,
		}
		if s.beside.getOwn() == nil && o.snap.Actor() != (record.Actor{}) && s.toDelete != nil {
			saved.others = []sessionRef{*s.toDelete} // It came while ActAs was saving.
		}
		s.toDelete = saved
		s.dirty.Store(true)
		s.mu.Unlock()
		return
	}
	s.setBase(&o.snap, &o.ticket, o.standing)
	s.status, s.saving, s.unsavedReported = statusLive, nil, false
	s.beside = s.beside.withOvertaker(nil)
	s.undeliveredYet = s.undeliveredYet && s.undelivered()
	s.issued = s.issued || p.kind == planCreate
	s.cookieOutdated = s.cookieOutdated && !o.renewal
	if s.pending == nil && s.failure == nil && s.toDelete == nil {
		s.dirty.Store(false)
	}
	// Updates that other goroutines have made meanwhile were computed from the base before the
	// merge.
	s.rebaseNeeded = (p.merged || p.rebaseNeeded) && !s.pending.empty()
	s.noteCookie(p, o)
	s.mu.Unlock()
	s.emitOutcome(ctx, p, o)
}

// noteCookie notes whether the commit needs a cookie, and whether the one from before is dead. It
// expects s.mu to be held.
func (s *Session) noteCookie(p *commitPlan, o *outcome) {
	if p.sendCookie || o.sendCookie {
		s.cookie = cookieSet
	}
	if o.renewal || p.kind == planCreate {
		s.response.set(bitNewSecret)
	}
	if p.kind == planCreate {
		s.response.set(bitCreated)
	}
}

// setBase replaces the base. When the next touch is due is not known, so the next commit has to
// look at the clock. It expects s.mu to be held.
func (s *Session) setBase(snap *record.Snapshot, t *ticket.Ticket, st standing) {
	s.snap, s.ticket, s.standing = *snap, *t, st
	s.nextDue, s.dueLater = 0, false
}

// emitOutcome emits the events of a commit that succeeded.
func (s *Session) emitOutcome(ctx context.Context, p *commitPlan, o *outcome) {
	for _, e := range [...]struct {
		kind     EventKind
		happened bool
	}{
		{EventCreated, p.kind == planCreate},
		{EventMerged, p.kind == planReplace && p.merged},
		{EventCommitted, p.kind == planReplace},
		{EventTouched, p.kind == planTouch},
		{EventLogin, o.login},
		{EventRenewed, o.renewal && !o.login},
	} {
		if e.happened {
			s.manager.observer.emitAbout(ctx, e.kind, &o.snap)
		}
	}
}

// onGone drops the changes to a session that another request has ended. The response sends no
// cookie.
func (s *Session) onGone(ctx context.Context, p *commitPlan, o *outcome) {
	subject, actor := p.snap.Subject(), p.snap.Actor().Subject
	if l := p.delta.getLogin(); l != nil {
		subject, actor = l.subject, l.actor.Subject
	}
	s.mu.Lock()
	if s.key() == p.keyAtStart {
		s.status, s.saving, s.pending, s.cookie = statusGone, nil, nil, cookieKeep
		s.goneReported, s.undeliveredYet = true, false
		s.beside = s.beside.withOvertaker(o.overtaker)
		s.dirty.Store(s.failure != nil || s.toDelete != nil)
	}
	s.mu.Unlock()
	s.manager.observer.emit(Event{
		Kind: EventGone, SessionID: s.manager.keyspace.idOf(p.keyAtStart),
		Subject: subject, Actor: actor, Reason: o.reason(), Err: ErrGone, Context: ctx,
	})
}

// dropRenewal gives up a touch or renewal that failed and that no handler asked for. Failures
// of the store have been reported; a record that is too large for the store has not.
func (s *Session) dropRenewal(ctx context.Context, p *commitPlan, err error) {
	if errors.Is(err, ErrTooLarge) {
		_ = s.manager.records.storeFailure(ctx, "save", p.snap.Record.Key, err)
	}
	if p.kind == planTouch {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key() == p.keyAtStart {
		s.saving = nil
	}
}

// dropSaving gives up the changes of a login or of a new session, and with them a step-up of the
// subject that has not signed in. It expects s.mu to be held.
func (s *Session) dropSaving() {
	if l := s.pending.getLogin(); l != nil && l.stepUp && l.subject != s.snap.Subject() {
		s.pending = nil
	}
	s.rebaseNeeded = !s.pending.empty()
}

// requeue makes the changes of a failed commit pending again. Those of a login and of a new
// session are dropped: changes that are meant for the new user must not be saved for the previous
// one, and a response that says that it failed must not sign anybody in.
func (s *Session) requeue(p *commitPlan, err error) {
	if p.kind != planCreate && p.kind != planReplace {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.uncertain && p.delta.secret != secretKeep && s.key() == p.keyAtStart {
		s.cookie = cookieKeep // The secret may have been replaced.
	}
	switch {
	case errors.Is(err, ErrLimit), p.kind == planCreate, p.delta.getLogin() != nil:
		s.dropSaving()
	case p.uncertain && p.delta.hasUpdates():
		s.fail(err) // Made again, the updates might count twice.
	case s.saving != nil: // Otherwise Destroy came meanwhile.
		s.saving.add(s.pending)
		s.pending, s.rebaseNeeded = s.saving, s.rebaseNeeded || p.rebaseNeeded
		s.dirty.Store(true)
	}
	s.saving = nil
	if p.undone && s.key() == p.keyAtStart {
		s.setBase(&p.snap, &p.ticket, p.standing)
		s.rebaseNeeded = s.rebaseNeeded || p.merged
	}
}
