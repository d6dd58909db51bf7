package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// ActAs lets the signed-in user act for another one, as a support team does, and saves. The
// request goes on in a new session of the subject, in which [Auth.Actor] names who really acts,
// as do its events and lists. The cookie of the response is that of the new session. The user's
// own session stays as it is, and [Session.StopActing] comes back to it.
//
// The new session has no values. Its times and methods of proof are those of the user who acts,
// and so is how long it and its cookie last, except that it ends after a day without use. It takes
// no place under [Options.MaxSessions]. It ends when the user's own session does, or when somebody
// signs in or steps up with that one, and its use is use of that one. [Manager.RevokeAll] for the
// subject ends it, [Session.Destroy] ends both. Requests that open it, and its commits, cost one
// more call of the store.
//
// Check that the user may act for the subject before the call. ActAs returns [ErrAnonymous] if
// nobody is signed in, [ErrActing] if the session acts for another subject already, [ErrLate]
// after the response has begun, and the errors of [Session.SignIn]; the session is as it was
// before then. If two requests of a browser call it at the same time for one subject, both
// succeed. It is an error to act for oneself.
func (s *Session) ActAs(ctx context.Context, subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("sessions: ActAs needs a subject of 1 to %d bytes, got %d",
			maxSubject, len(subject))
	}
	if err := s.mayCommit(); err != nil {
		return err
	}
	if acts, err := s.mayAct(subject); acts || err != nil {
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
	own, err := s.startActing(ctx, strings.Clone(subject), start)
	if own == nil {
		return err
	}
	s.noteDevice()
	err = s.flush(ctx)
	s.endActing(own, err)
	return err
}

// mayAct reports whether the session acts for the subject already, or else returns the error of
// ActAs, or nil.
func (s *Session) mayAct(subject string) (acts bool, err error) {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if s.currentSubject() == subject && s.actor() != (record.Actor{}) {
		return true, nil
	}
	return false, s.cannotAct(subject)
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
		return ErrActing
	case own == subject:
		return errActsForOneself
	}
	return nil
}

var errActsForOneself = errors.New("sessions: ActAs needs another subject than the one " +
	"that is signed in")

// startActing saves what was changed, and makes s a new session that the next commit stores. It
// returns what s was before.
func (s *Session) startActing(
	ctx context.Context, subject string, start ProofStart,
) (*ownSession, error) {
	for {
		if err := s.flush(ctx); err != nil {
			return nil, err
		}
		own, err := s.tryToAct(subject, start)
		if own != nil || err != nil {
			return own, err
		}
	}
}

// tryToAct is startActing after the changes were saved. It returns nil if there are others.
func (s *Session) tryToAct(subject string, start ProofStart) (*ownSession, error) {
	s.mu.Lock()
	defer s.unlock()
	if err := s.cannotAct(subject); err != nil {
		return nil, err
	}
	if !s.pending.empty() || s.toDelete != nil {
		return nil, nil
	}
	l := &login{
		subject: subject, proof: s.proof(), at: s.authenticatedAt(),
		began: time.Now().UnixMilli(), start: start.revocation,
		actor: record.Actor{
			Subject: s.snap.Subject(), Session: s.ticket.ID, Digest: s.ticket.Secret.Digest(),
		},
	}
	s.key() // It is needed to come back.
	own := &ownSession{
		s.verified, s.undeliveredYet, s.cookieOutdated, s.issued, s.cookie,
	}
	s.beside = s.beside.made()
	s.beside.own = own
	s.verified, s.status, s.cookie = verified{}, statusNew, cookieKeep
	s.undeliveredYet, s.cookieOutdated, s.issued = false, false, false
	// A second request of the browser for the same subject joins the session.
	id := ownID(own.ticket, subject)
	s.ticket = ticket.Ticket{ID: id, Secret: ticket.NewSecret()}
	s.snap.Record.Key = s.manager.keyspace.key(id)
	d := s.change()
	d.secret, d.login, d.cookie = secretLogin, l, own.snap.Cookie
	d.expiry = s.manager.timeouts.idleOfActing(&own.snap.Times)
	return own, nil
}

// maxActing limits the idle timeout of a session in which somebody acts for its subject. Such a
// session is left behind if the browser loses its cookie.
const maxActing = 24 * time.Hour

// idleOfActing returns the idle timeout of a session in which somebody acts for its subject, from
// that of their own session. It is nil if the session follows the policy.
func (p *policy) idleOfActing(own *record.Times) *int64 {
	idle, limit := p.idleTimeout(own), maxActing.Milliseconds()
	switch {
	case idle == 0 || idle > limit:
		return &limit
	case own.OwnIdle:
		return &idle
	}
	return nil
}

// endActing ends what startActing has begun. If that has failed, it makes s what it was before,
// unless Destroy came meanwhile.
func (s *Session) endActing(own *ownSession, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beside.getOwn() != own {
		return
	}
	s.beside.own = nil
	if err == nil {
		return
	}
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
// StopActing returns [ErrGone] if the user's own session has ended, or somebody has signed in or
// stepped up with it since; then both sessions have ended. It returns [ErrNotActing] if the
// session acts for nobody, [ErrLate] after the response has begun, and [ErrStore] if the store
// failed.
func (s *Session) StopActing(ctx context.Context) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errTimedOut
	}
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	s.mu.Lock()
	changed := s.savesPending()
	s.mu.Unlock()
	if err := s.flush(ctx); err != nil {
		return err
	}
	acting, at, err := s.actingBase(changed)
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
	ref := sessionRef{key: acting.snap.Record.Key, ticket: acting.ticket}
	switch err := x.endIfOwned(storeCtx, &ref); {
	case errors.Is(err, errOtherSecret):
		return ErrGone // Another request of the browser has signed somebody in.
	case err != nil && !errors.Is(err, errEnded):
		return err
	}
	s.settleOwn(storeCtx, acting, &own)
	return nil
}

// actingBase returns the record of a session that acts for somebody. It may have ended in another
// request that has called StopActing, unless this one has changed it.
func (s *Session) actingBase(changed bool) (v *verified, at moment, err error) {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	at = moment{now: time.Now(), passive: s.passive}
	o := s.beside.getOvertaker()
	switch {
	case s.response.sent():
		return nil, at, ErrLate
	case !changed && s.status == statusGone && o != nil && o.reason() == ReasonSignedOut &&
		o.snap.Actor() != (record.Actor{}):
		return new(*o), at, nil
	}
	if err := s.writable(true); err != nil {
		return nil, at, err
	}
	if s.status != statusLive || s.snap.Actor() == (record.Actor{}) {
		return nil, at, ErrNotActing
	}
	s.key()
	return new(s.verified), at, nil
}

// settleOwn makes the own session of who has acted for somebody the base of s.
func (s *Session) settleOwn(ctx context.Context, acting *verified, own *composed) {
	s.mu.Lock()
	if s.toDelete != nil { // Destroy came meanwhile, and ends both.
		s.mu.Unlock()
		return
	}
	first, lost := s.status == statusLive, !s.pending.empty()
	s.setBase(&own.snap, &own.ticket, own.standing)
	s.status, s.cookie, s.pending = statusLive, cookieSet, nil
	s.response.set(bitNewSecret)
	s.undeliveredYet, s.cookieOutdated, s.issued = false, false, false
	s.beside = s.beside.withOvertaker(nil)
	s.dirty.Store(false)
	s.mu.Unlock()
	if lost { // Another goroutine has changed it meanwhile.
		e := s.manager.observer.eventAbout(ctx, EventLost, &acting.snap)
		e.Err = ErrGone
		s.manager.observer.report(slog.LevelError, e)
	}
	if first {
		s.manager.observer.emitAbout(ctx, EventDestroyed, &acting.snap)
	}
	s.manager.observer.emitAbout(ctx, EventRenewed, &own.snap)
}
