package core

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Revoke ends one session of a subject for good, by its public id. A session that is not the subject's, or does not exist,
// is [ErrNotFound] and stays as it is, so an id from a request can be passed on as it came. The empty subject is nobody's. A
// client that goes away does not stop it.
func (m *Manager) Revoke(ctx context.Context, subject, id string) error {
	if subject == "" {
		return ErrNotFound
	}
	return m.endIf(ctx, id, func(owner string) bool { return owner == subject })
}

// End ends one session for good by its public id, whoever it belongs to, signed in or not: for the back office. If there is
// none it is [ErrNotFound]. A client that goes away does not stop it.
func (m *Manager) End(ctx context.Context, id string) error {
	return m.endIf(ctx, id, func(string) bool { return true })
}

func (m *Manager) endIf(ctx context.Context, id string, may func(owner string) bool) error {
	ctx, cancel := m.outlive(ctx)
	defer cancel()
	snap, err := m.lookup(ctx, id)
	if err != nil {
		return err
	}
	if !may(snap.subject()) {
		return ErrNotFound
	}
	return m.revoke(ctx, &snap, ReasonRevoked)
}

// RevokeAll ends the sessions of a subject for good, but for those whose ids are given, and returns how many it ended. None
// that exists when it is called survives, whatever requests are under way: what they try to save or to renew finds its
// session gone. After an error some may be left, so call it again. A client that goes away does not stop it. On a store without
// an index of subjects it is [errors.ErrUnsupported].
func (m *Manager) RevokeAll(ctx context.Context, subject string, except ...string) (int, error) {
	listCtx, cancel := m.outlive(ctx)
	defer cancel()
	recs, err := m.recordsOf(listCtx, subject)
	if err != nil {
		return 0, err
	}
	return m.revokeEach(ctx, recs, ReasonRevokedAll, except)
}

// RevokeOthers ends all sessions of the signed-in subject but for s, as after a change of password (OWASP ASVS 5.0, 7.4.3),
// and returns how many it ended. A session that has itself been ended meanwhile ends no others: [ErrGone]. Without a
// signed-in subject it is [ErrAnonymous].
func (m *Manager) RevokeOthers(ctx context.Context, s *Session) (int, error) {
	if s.manager != m {
		return 0, errOtherManager
	}
	g, stored, err := s.whereabouts()
	if err != nil {
		return 0, err
	}
	if stored {
		if err := m.alive(ctx, &g); err != nil {
			return 0, err
		}
	}
	return m.RevokeAll(ctx, g.subject, m.idOf(g.key))
}

var errOtherManager = errors.New("sessions: the session belongs to another manager")

// whereabouts returns what names a signed-in session and proves the right to it. It is not stored yet if the login that
// begins it is still to be committed.
func (s *Session) whereabouts() (g grave, stored bool, err error) {
	if s.ID() == "" { // draws one where there is none
		return grave{}, false, ErrAnonymous
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g = grave{key: s.key(), subject: s.subject(), ticket: s.ticket}
	switch {
	case s.state == stateGone:
		err = ErrGone
	case g.subject == "":
		err = or(s.err, ErrAnonymous)
	}
	return g, s.snap.stored(), err
}

// alive reports ErrGone if the session has ended in the store or its secret is dead.
func (m *Manager) alive(ctx context.Context, g *grave) error {
	ctx, cancel := m.outlive(ctx)
	defer cancel()
	rec, err := m.load(ctx, g.key)
	if err != nil {
		err = m.loadError(ctx, g.key, err)
	} else {
		err = m.admit(ctx, &admitted{}, &rec, &g.ticket)
	}
	if errors.Is(err, ErrNotFound) {
		return ErrGone
	}
	return err
}

// RevokeEverything ends every session of this manager that exists when it is called, signed in or not, and returns how many
// it ended (OWASP ASVS 5.0, 7.4.5). After an error some may be left, so call it again. On a store that cannot list it is
// [errors.ErrUnsupported].
func (m *Manager) RevokeEverything(ctx context.Context) (n int, err error) {
	for cursor := ""; ; {
		pageCtx, cancel := m.outlive(ctx)
		recs, next, err := m.page(pageCtx, cursor, 0)
		cancel()
		if err != nil {
			return n, err
		}
		ended, err := m.revokeEach(ctx, recs, ReasonRevokedEverything, nil)
		n += ended
		if err != nil || next == "" {
			return n, err
		}
		cursor = next
	}
}

// revokeEach ends the sessions whose records are given, but for those whose ids are given, each under a deadline of its own.
// What is over by the policy of this process, or cannot be read by it, goes too and does not count: to a process of another
// release it may be a session.
func (m *Manager) revokeEach(ctx context.Context, recs []Record, reason string, except []string) (n int, err error) {
	for _, rec := range recs {
		snap, is := m.inspect(ctx, rec, time.Now())
		if is == foreign || slices.Contains(except, m.idOf(rec.Key)) {
			continue
		}
		if err := m.revokeOne(ctx, &snap, is, reason); err != nil {
			return n, err
		}
		if is == live {
			n++
		}
	}
	return n, nil
}

func (m *Manager) revokeOne(ctx context.Context, snap *snapshot, is standing, reason string) error {
	ctx, cancel := m.outlive(ctx)
	defer cancel()
	if is == live {
		return m.revoke(ctx, snap, reason)
	}
	return m.remove(ctx, snap.rec.Key)
}

// revoke ends one session from outside.
func (m *Manager) revoke(ctx context.Context, snap *snapshot, reason string) error {
	if err := m.remove(ctx, snap.rec.Key); err != nil {
		return err
	}
	e := m.eventOf(EventRevoked, snap)
	e.Reason = reason
	m.emit(ctx, e)
	return nil
}
