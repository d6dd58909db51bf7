package core

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// Begun reports whether the commit before the first byte of the response has been made, or tried.
func (sc *Scope) Begun() bool { return sc.response.begun }

// CommitEnd saves the session when the handlers have returned and the header has not left yet,
// because an error handler or middleware outside still writes the response. It returns what the
// header needs now. The status is that of the response as far as it is known, at least 400 if the
// handlers have returned an error.
//
// The session may still be used and changed, so the adapter must call [Scope.Leave] when the
// header really leaves. If CommitEnd returns an error, the response must be an error.
func (sc *Scope) CommitEnd(status int) (reply adapter.Reply, err error) {
	sc.response.set(bitOver)
	s := sc.madeSession()
	switch {
	case sc.response.begun:
		return reply, sc.CommitErr()
	case s == nil:
		return reply, nil
	case sc.answersFailure(status) && s.dropFailed():
		return sc.privacy(), nil
	}
	err = s.commitHeader(sc.Context, &reply, false)
	switch {
	case err == nil:
		sc.response.set(bitEnded)
	case sc.answersFailure(status):
		s.reportLost(sc.Context, err)
		return reply, nil
	default:
		sc.response.begun = true
		s.failHeader(err)
		sc.response.markSent()
		s.dropPending()
	}
	return reply, err
}

// Unguard has changes after [Scope.CommitEnd] saved at once, unless they need a cookie. Adapters
// call it if the header may be sent without a call of [Scope.Leave].
func (sc *Scope) Unguard() { sc.response.set(bitUnguarded) }

// ReportUnsent reports changes that wait for [Scope.Leave] because they need a cookie, and refuses
// further ones. Adapters call it if the request is over and the header may have been sent without
// a call of Leave. It does nothing otherwise.
func (sc *Scope) ReportUnsent() {
	s := sc.madeSession()
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.unlock()
	if !s.response.sent() && !s.pending.empty() {
		s.pending, s.refused = nil, refusedLate
		s.response.markSent()
	}
}

// Idle reports whether the session has been loaded, and has nothing to save and no cookie to
// send, so that a commit now would only say what caches may keep. The adapter can do without
// [Scope.CommitEnd] then.
func (sc *Scope) Idle() bool {
	s := sc.madeSession()
	if s == nil || sc.response.begun {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	nothing, err := s.nothingToCommit(sc.Context, true)
	return nothing && err == nil && s.cookie == cookieKeep && !s.inFlight.Load()
}

// Leave commits at the last moment before the header of the response leaves with the status, like
// [Scope.CommitHeader]. What the reply says to caches also covers what has used the session since
// an earlier commit. If the session has been committed for good, Leave returns that alone.
//
// If the handler answers the error of its own [Scope.Commit] with an error status, Leave saves
// only what was changed since then, and returns no error.
func (sc *Scope) Leave(status int) (reply adapter.Reply, err error) {
	switch {
	case sc.response.begun:
		return sc.privacy(), nil
	case sc.answersFailure(status) && sc.madeSession().dropFailed():
		sc.response.begun = true
		sc.response.set(bitSent | bitGivenUp)
		return sc.privacy(), nil
	}
	reply, err = sc.CommitHeader()
	answers := sc.response.has(bitOver | bitCommitFailed)
	if err != nil && status >= 400 && answers {
		// The page of an error handler stays: it claims nothing that is not so.
		s := sc.madeSession()
		s.reportLost(sc.Context, err)
		if reply.SetCookie == "" {
			reply = sc.privacy()
		}
		return reply, nil
	}
	return reply, err
}

// answersFailure reports whether the status answers an explicit commit that has failed. No cache
// may keep such a response.
func (sc *Scope) answersFailure(status int) bool {
	if status < 400 || !sc.response.has(bitCommitFailed) {
		return false
	}
	sc.response.set(bitAnswered)
	return true
}

// Panicked records that the handler has panicked: nothing is saved any more, and changes are
// refused. It returns what the header has to say to caches.
func (sc *Scope) Panicked() adapter.Reply {
	sc.response.begun = true
	sc.response.set(bitPanicked | bitOver)
	return sc.privacy()
}

// MayBeUndelivered reports whether this request has started a session whose cookie may not be
// sent, because its deadline has passed and something outside may have answered instead of the
// handler.
func (sc *Scope) MayBeUndelivered() bool {
	return sc.response.has(bitCreated) && errors.Is(sc.Err(), context.DeadlineExceeded)
}

// Undelivered ends the session that this request has started. Adapters call it if something
// outside has answered instead of the handler, so that the cookie is not sent.
func (sc *Scope) Undelivered() {
	s := sc.madeSession()
	s.mu.Lock()
	s.issued = true // The cookie has gone nowhere, so nobody can be overtaken.
	s.refused = refusedTimedOut
	s.unlock()
	s.Destroy()
	_ = s.commitLate(sc.Context) // A failure has been logged and reported as an event.
}

// privacy returns what the header has to say to caches.
func (sc *Scope) privacy() (reply adapter.Reply) {
	if s := sc.madeSession(); s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		reply.Values = &s.headerValues
		s.fillPrivacy(&reply)
	}
	return reply
}

// InUse reports whether the request has a session that has to do with the response, because it was
// presented or asked for.
func (sc *Scope) InUse() bool { return sc.madeSession() != nil }

// MayBeUsed reports whether the handler can still use a session that the request has presented or
// the handler has asked for, and has not used it so far.
func (sc *Scope) MayBeUsed() bool {
	s := sc.madeSession()
	if s == nil {
		return sc.cookies != "" && !sc.response.begun && !sc.getSession().ticketless
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.accessed
}

// ExpectUse makes the response one whose handler uses the session, if it can still do so: see
// [Scope.MayBeUsed]. It is for streams, whose header leaves before the session is used.
func (sc *Scope) ExpectUse() {
	if !sc.MayBeUsed() {
		return
	}
	s := sc.getSession()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accessed = true
}

// SendCookie makes the response set the cookie of a session that the request has presented. It is
// for middleware outside that has added the cookie to the request, so that the browser may not
// have it, such as that of package migrate. Call it before the response begins, on a scope that
// has been opened. SendCookie does nothing if the session has ended, if the current secret is not
// known, because the request has presented a former one, or if the session cannot be loaded.
func (sc *Scope) SendCookie() {
	s, ok := sc.Lookup()
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == statusLive && !s.cookieOutdated && !s.response.sent() {
		s.cookie = cookieSet
	}
}
