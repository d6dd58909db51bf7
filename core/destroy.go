package core

import (
	"context"
	"errors"
	"time"
)

// grave names a session whose record is to be deleted.
type grave struct {
	key     string
	subject string
	ticket  ticket // of the request that destroyed it
}

// Destroy ends the session for good, at the commit: the record is deleted, the cookie removed, and no request that is
// still under way can bring it back. If the store fails then, the response is an error and the session goes on. What is
// written after Destroy in the same request starts a new, anonymous session. A request whose secret is dead by then,
// because somebody has signed in with this session since, ends nothing.
func (s *Session) Destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if s.state == stateLive {
		s.doomed = &grave{key: s.key(), subject: s.snap.subject(), ticket: s.ticket}
		s.cookie = cookieRemove
		s.dirty.Store(true)
	}
	if s.state != stateAttached {
		s.state = stateNew
	}
	s.admitted, s.pending, s.saving, s.follows = admitted{}, nil, nil, false
}

func (s *Session) isDoomed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doomed != nil
}

// erase deletes the record of the session that Destroy ended.
func (s *Session) erase(ctx context.Context, doomed *grave) error {
	if doomed == nil {
		return nil
	}
	e := Event{Kind: EventDestroyed, SessionID: s.manager.idOf(doomed.key), Subject: doomed.subject}
	err := s.manager.bury(ctx, doomed)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errOtherSecret):
		// Somebody has signed in with this session since, and the browser may hold the cookie of that.
		s.cookie, e.Kind, e.Err = cookieKeep, EventGone, ErrGone
	case err != nil:
		return err
	}
	s.doomed = nil
	s.manager.emit(ctx, e)
	return nil
}

// bury deletes the record of a session that was destroyed, if the secret of the request that destroyed it still opens it:
// who only knows a dead secret cannot sign anybody out.
func (m *Manager) bury(ctx context.Context, g *grave) error {
	rec, err := m.load(ctx, g.key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return m.outage(ctx, "delete", g.key, err)
	}
	a := admitted{snap: snapshot{rec: rec}, ticket: g.ticket}
	if a.snap.decode() == nil {
		// A secret that was merely renewed is still the user's, however slow the request was.
		if a.try(time.Now().UnixMilli(), m.grace) != fitNow && !a.snap.holder().lineage.bore(&g.ticket.secret) {
			return errOtherSecret
		}
	}
	return m.remove(ctx, g.key)
}
