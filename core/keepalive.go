package core

import (
	"context"
	"time"
)

// KeepAlive counts as a use of the session, without a change: it extends the session in the store
// as a request does. Streams and websockets call it while their user is there, as often as they
// want to know that the session is still valid. It costs one call of the store; once in a tenth
// of the idle timeout it writes. It saves pending changes, too.
//
// KeepAlive cannot extend the cookie, which was sent ahead of the stream. The browser keeps the
// cookie for as long as it was told then, unless other requests of the page extend it.
//
// KeepAlive returns [ErrGone] if the session has ended or its secret is no longer valid, and
// [ErrStore] if the store failed. It does nothing for a new session.
func (s *Session) KeepAlive(ctx context.Context) error {
	s.mu.Lock()
	s.access()
	live, ref := s.status == statusLive && s.failure == nil, s.ref()
	due := live && s.manager.timeouts.useDue(&s.snap.Times, time.Now().UnixMilli())
	s.keepAlive = due
	unchanged := s.pending.empty() && s.toDelete == nil
	s.mu.Unlock()
	if live && !due && unchanged {
		return s.manager.checkAlive(ctx, ref)
	}
	return s.Save(ctx)
}
