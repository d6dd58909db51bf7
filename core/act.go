package core

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// ActAs lets the signed-in user act for another one, as a support team does, and saves. The
// request goes on in a new session of the subject, in which [Auth.Actor] names who really acts,
// as do its events and lists. The cookie of the response is that of the new session. The user's
// own session stays as it is, and [Session.StopActing] comes back to it.
//
// The new session has no values. Its times and methods of proof are those of the user who acts,
// and so is how long it and its cookie last. It takes no place under [Options.MaxSessions]. It
// ends when the user's own session does, and its use is use of that one. [Manager.RevokeAll] for
// the subject ends it, [Session.Destroy] ends both. Requests that open it, and its commits, cost
// one more call of the store.
//
// Check that the user may act for the subject before the call. ActAs returns [ErrAnonymous] if
// nobody is signed in, [ErrLate] after the response has begun, and the errors of
// [Session.SignIn]; the session is as it was before then. It is an error to act for somebody in a
// session that does so already, and to act for oneself.
func (s *Session) ActAs(ctx context.Context, subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("sessions: ActAs needs a subject of 1 to %d bytes, got %d",
			maxSubject, len(subject))
	}
	if err := s.mayCommit(); err != nil {
		return err
	}
	if err := s.mayAct(subject); err != nil {
		return err
	}
	start, err := s.manager.StartProof(ctx, subject)
	if err != nil {
		return err
	}
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	if err := s.flush(ctx); err != nil { // What was changed in the user's own session.
		return err
	}
	own, err := s.startActing(strings.Clone(subject), start)
	if err != nil {
		return err
	}
	s.noteDevice()
	if err = s.flush(ctx); err != nil {
		s.undoActing(own)
	}
	return err
}

// mayAct returns the error of ActAs, or nil.
func (s *Session) mayAct(subject string) error {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	return s.cannotAct(subject)
}

// cannotAct is mayAct for a caller that holds s.mu.
func (s *Session) cannotAct(subject string) error {
	if err := s.writable(true); err != nil {
		return err
	}
	switch own := s.currentSubject(); {
	case own == "":
		return ErrAnonymous
	case s.actor() != (record.Actor{}):
		return errActs
	case own == subject:
		return errActsForOneself
	}
	return nil
}

var (
	errActs = errors.New("sessions: the session acts for somebody already; " +
		"call StopActing first")
	errActsForOneself = errors.New("sessions: ActAs needs another subject than the one " +
		"that is signed in")
	errActsForNobody = errors.New("sessions: the session acts for nobody; call ActAs first")
)

// ownSession is what a session was before it acted for somebody.
type ownSession struct {
	verified
	undeliveredYet, cookieOutdated, issued bool
	cookie                                 cookieAction
}

// startActing makes s a new session that the next commit stores.
func (s *Session) startActing(subject string, start ProofStart) (*ownSession, error) {
	s.mu.Lock()
	defer s.unlock()
	if err := s.cannotAct(subject); err != nil {
		return nil, err
	}
	if s.status != statusLive {
		return nil, ErrGone
	}
	actor := record.Actor{Subject: s.snap.Subject(), Session: s.ticket.ID}
	l := login{
		subject: subject, actor: actor, proof: s.proof(), at: s.authenticatedAt(),
		began: time.Now().UnixMilli(), start: start.revocation,
	}
	s.key() // It is needed to come back.
	own := &ownSession{
		s.verified, s.undeliveredYet, s.cookieOutdated, s.issued, s.cookie,
	}
	s.verified, s.status, s.cookie = verified{}, statusNew, cookieKeep
	s.undeliveredYet, s.cookieOutdated, s.issued = false, false, false
	s.pending = nil
	d := s.change()
	d.secret, d.login, d.cookie = secretLogin, &l, own.snap.Cookie
	if own.snap.OwnIdle {
		d.expiry = &own.snap.Idle
	}
	return own, nil
}

// undoActing makes s what it was before startActing.
func (s *Session) undoActing(own *ownSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verified, s.status, s.pending = own.verified, statusLive, nil
	s.undeliveredYet, s.cookieOutdated = own.undeliveredYet, own.cookieOutdated
	s.issued, s.cookie = own.issued, own.cookie
	s.goneReported = false
	s.beside = s.beside.withOvertaker(nil)
}

// StopActing ends the session in which the user acts for another one, and comes back to their own,
// which has its values and its times of proof as they were. It saves the changes of the one and
// gives the other a new secret, whose cookie the response carries. If two requests of a browser
// call it at the same time, both succeed.
//
// StopActing returns [ErrGone] if the user's own session has ended; then both have. It returns
// [ErrLate] after the response has begun, and [ErrStore] if the store failed: the user then acts
// for the subject still. It is an error if the session acts for nobody; see [Auth.Actor].
func (s *Session) StopActing(ctx context.Context) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	if err := s.flush(ctx); err != nil {
		return err
	}
	acting, at, err := s.actingBase()
	if err != nil {
		return err
	}
	storeCtx, cancel := s.manager.records.detached(ctx)
	defer cancel()
	x := &s.manager.executor
	var own composed
	if err := goneIfNotFound(x.comeBack(storeCtx, &acting.snap, &at, &own)); err != nil {
		return err
	}
	err = x.mark(storeCtx, acting.snap, ReasonSignedOut, nil)
	if err != nil {
		return err // The cookie is not sent, so the one from before counts.
	}
	s.settleOwn(storeCtx, acting, &own)
	return nil
}

// actingBase returns the record of a session that acts for somebody. It may have ended in another
// request that has called StopActing.
func (s *Session) actingBase() (v *verified, at moment, err error) {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	at = moment{now: time.Now(), passive: s.passive}
	v = new(s.verified)
	if o := s.beside.getOvertaker(); s.status == statusGone && o != nil &&
		o.reason() == ReasonSignedOut && o.snap.Actor() != (record.Actor{}) {
		if s.response.headersSent.Load() {
			return nil, at, ErrLate
		}
		return new(*o), at, nil
	}
	if err := s.writable(true); err != nil {
		return nil, at, err
	}
	if s.status != statusLive || s.snap.Actor() == (record.Actor{}) {
		return nil, at, errActsForNobody
	}
	s.key()
	return new(s.verified), at, nil
}

// settleOwn makes the own session of who has acted for somebody the base of s.
func (s *Session) settleOwn(ctx context.Context, acting *verified, own *composed) {
	s.mu.Lock()
	first := s.status == statusLive
	s.setBase(&own.snap, &own.ticket, own.standing)
	s.status, s.cookie, s.pending = statusLive, cookieSet, nil
	s.undeliveredYet, s.cookieOutdated, s.issued = false, false, false
	s.beside = s.beside.withOvertaker(nil)
	s.dirty.Store(false)
	s.mu.Unlock()
	if first {
		s.manager.observer.emitAbout(ctx, EventDestroyed, &acting.snap)
	}
	s.manager.observer.emitAbout(ctx, EventRenewed, &own.snap)
}
