package core

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// KeepAlive counts as a use of the session, without a change: it extends the session in the store
// as a request does. Streams and websockets call it while their user is there, as often as they
// want to know that the session is still valid. It costs one call of the store; once in a tenth
// of the idle timeout it writes. It saves pending changes, too.
//
// The cookie is sent ahead of the stream, and nothing can extend it later. So call KeepAlive for
// the first time before the response begins: the browser then keeps the cookie of this session for
// as long as it can, which is 400 days, or [Options.Lifetime]. When the session ends does not
// depend on that. It costs one save for each session, and it changes nothing if the cookie ends
// with the browser.
//
// KeepAlive returns [ErrGone] if the session has ended or its secret is no longer valid, and
// [ErrStore] if the store failed. It does nothing for a new session.
func (s *Session) KeepAlive(ctx context.Context) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	s.mu.Lock()
	s.access()
	live, ref := s.status == statusLive && s.failure == nil, s.ref()
	due := live && s.manager.timeouts.useDue(&s.snap.Times, time.Now().UnixMilli())
	s.keepAlive = due
	if live {
		s.makeCookieLast()
	}
	unchanged := s.pending.empty() && s.toDelete == nil
	s.mu.Unlock()
	if live && !due && unchanged {
		return s.manager.checkAlive(ctx, ref)
	}
	return s.Save(ctx)
}

// Check looks again whether the session is still valid: before something that must not be done for
// a user who was signed out meanwhile, such as at the end of a long upload, and in streams and
// websockets. The methods that tell what the session holds, such as [Session.Subject], go on to
// tell what was loaded. Check costs one call of the store, changes nothing, and does not count as
// use of the session; see [Session.KeepAlive].
//
// Check returns [ErrGone] if the session has ended or expired, or if its secret is not valid any
// longer, and [ErrStore] if the store failed, so that nothing is known. It returns nil for a
// visitor who has no session.
func (s *Session) Check(ctx context.Context) error {
	s.mu.Lock()
	s.access()
	failure, status, ref := s.failure, s.status, s.ref()
	s.mu.Unlock()
	switch {
	case failure != nil:
		return failure
	case status == statusGone:
		return ErrGone
	case status == statusLive:
		return s.manager.checkAlive(ctx, ref)
	}
	return nil
}

// makeCookieLast makes a persistent cookie outlive the idle timeout, unless it is too late for
// that. It expects s.mu to be held.
func (s *Session) makeCookieLast() {
	t := s.snap.Times
	if s.pending != nil && s.pending.cookie != record.CookiePolicy {
		t.Cookie = s.pending.cookie
	}
	switch {
	case s.response.sent(), s.standing == standingFormer:
	case t.Cookie == record.CookieLasting:
		s.cookie = cookieSet // The answer that has set it before may have been lost.
	case s.manager.timeouts.persistent(&t):
		s.change().cookie = record.CookieLasting
	}
}
