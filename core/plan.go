package core

import (
	"context"
	"errors"
	"time"
)

// nothingToCommit reports whether a commit would do nothing, and the error with which it fails
// all the same. It is the fast path for requests that only read, which are most: they need no
// plan. If the client has disconnected and the handler has changed nothing, there is nothing to
// do either: a new secret would not reach it, and its old one would look stolen later. If
// atResponse is true, the response is about to begin; see dueWindow.
//
// It expects s.mu to be held.
func (s *Session) nothingToCommit(ctx context.Context, atResponse bool) (bool, error) {
	switch {
	case s.toDelete != nil:
		return false, nil
	case s.failure != nil:
		return true, s.failure
	case !s.pending.empty():
		return !s.savesPending(), nil
	case s.status != statusLive:
		return true, nil
	case s.keepAlive:
		return false, nil
	case s.response.sent():
		return true, nil
	case s.response.has(bitEnded): // CommitEnd has done what is due.
		return true, nil
	case s.undeliveredYet:
		return ctx.Err() != nil, nil
	case s.passive:
		return true, nil
	case atResponse && s.dueLater || time.Since(s.manager.timeouts.epoch) < s.nextDue:
		return true, nil
	}
	kind, _ := s.due(time.Now().UnixMilli())
	return kind == planNone || ctx.Err() != nil, nil
}

// savesPending reports whether the pending changes are saved: to a stored session, or because
// they start one.
func (s *Session) savesPending() bool {
	switch s.status {
	case statusLive:
		return !s.pending.empty()
	case statusNew:
		return s.pending.startsSession() && (!s.crossSite || s.pending.login != nil)
	case statusGone:
		return s.pending.getLogin() != nil
	case statusUnloaded:
	}
	return false
}

// plan takes the pending changes and sets p, which is zero, to what a commit has to do. It
// reports true if there is nothing to do, with the error of nothingToCommit.
func (s *Session) plan(ctx context.Context, p *commitPlan) (nothing bool, err error) {
	s.mu.Lock()
	defer s.unlockPlan()
	if nothing, err := s.nothingToCommit(ctx, false); nothing {
		return true, err
	}
	s.inFlight.Store(true)
	p.now, p.device, p.passive = time.Now(), s.device, s.passive
	p.headersSent = s.response.sent()
	p.keyAtStart, p.toDelete = s.key(), s.toDelete
	if p.err = s.failure; p.err != nil {
		return false, nil
	}
	kind, renew := s.due(p.now.UnixMilli())
	timedOut := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if renew && timedOut { // The next request renews the secret.
		if renew = false; s.pending.empty() {
			kind = planNone
		}
	}
	if s.keepAlive {
		p.keepAlive, p.passive, s.keepAlive = true, false, false
	}
	p.verified, p.kind = s.verified, kind
	if s.pending.getLogin() != nil {
		p.loaded, p.derived = new(s.snap), s.beside.getOwn() != nil
		p.arrival = s.manager.records.revocations.at(s.response.arrival)
		switch {
		case s.status != statusGone:
		case s.beside.getOvertaker() == nil:
			p.standing = standingUnknown
		default:
			p.verified, p.late = *s.beside.getOvertaker(), s.startedLate
		}
	}
	switch kind {
	case planNone:
	case planTouch:
		p.delta = &delta{}
	case planCreate, planReplace:
		p.renewalOnly = renew && s.pending.empty()
		if renew {
			s.change().secret = secretRenew
		}
		s.takeChanges(p, timedOut)
	}
	return false, nil
}

// unlockPlan is unlock, but saves nothing: the commit is doing that.
func (s *Session) unlockPlan() {
	if s.refused == savedAtOnce {
		s.refused = refusedNothing
	}
	s.unlock()
}

// due returns what the next commit has to do, and whether the secret has to be renewed because
// of its age.
func (s *Session) due(now int64) (kind planKind, renew bool) {
	renew = s.renewalDue(now)
	switch {
	case s.status == statusNew && s.savesPending():
		kind = planCreate
	case renew, s.status != statusNew && s.savesPending():
		kind = planReplace
	case s.status == statusLive && s.keepAlive,
		s.status == statusLive && !s.response.sent() &&
			(s.undeliveredYet || s.touchDue(now)):
		kind = planTouch
	}
	return kind, renew
}

// touchDue reports whether the session has to be extended, and its cookie sent again.
func (s *Session) touchDue(now int64) bool {
	p, t := &s.manager.timeouts, &s.snap.Times
	return !s.passive && p.touchDue(t, now) &&
		(p.touchOverdue(t, now) || navigates(s.fetch()))
}

// renewalDue reports whether the secret has to be renewed because of its age. A request that
// presented a retired secret does not renew it again.
func (s *Session) renewalDue(now int64) bool {
	p := &s.manager.timeouts
	return s.status == statusLive && !s.cookieOutdated && !s.response.sent() &&
		!s.passive && (s.pending == nil || s.pending.secret == secretKeep) &&
		p.renewalDue(&s.snap, now) && (p.renewalOverdue(&s.snap, now) || navigates(s.fetch()))
}

// takeChanges moves the pending changes into the plan, unless they need a cookie and it is too
// late for one.
//
// It is too late for a new secret also if the request's deadline has passed. Whoever has set the
// deadline may have answered in the handler's place, as http.TimeoutHandler does. That answer has
// no cookie, so a login would leave the browser with a secret that opens nothing.
func (s *Session) takeChanges(p *commitPlan, timedOut bool) {
	switch {
	case p.headersSent && (p.kind == planCreate || s.pending.needsCookie()):
		s.pending, s.refused, p.kind, p.err = nil, refusedLate, planNone, ErrLate
		return
	case timedOut && s.pending.secret != secretKeep:
		s.pending, s.refused, p.kind, p.err = nil, refusedTimedOut, planNone, errTimedOut
		return
	}
	if p.kind == planCreate && s.key() == "" {
		s.issueTicket(p.now)
		p.keyAtStart, p.ticket, p.snap.Record.Key = s.key(), s.ticket, s.key()
	}
	p.delta, s.saving, s.pending = s.pending, s.pending, nil
	if p.derived {
		p.changes = p.delta
	}
	p.rebaseNeeded, s.rebaseNeeded = s.rebaseNeeded, false
}
