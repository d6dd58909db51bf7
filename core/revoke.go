package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Revoke ends one session of a subject for good, by its public id. It returns [ErrNotFound],
// and ends nothing, if there is no such session, if it belongs to another subject, or if
// subject is "". So an id from a request can be passed on as it is. A client that disconnects
// does not stop it.
func (m *Manager) Revoke(ctx context.Context, subject, id string) error {
	if subject == "" {
		return ErrNotFound
	}
	return m.revokeIf(ctx, id, func(owner string) bool { return owner == subject })
}

// RevokeByID ends one session for good by its public id, whoever it belongs to, signed in or
// not. It is for administrators. It returns [ErrNotFound] if there is no such session. A client
// that disconnects does not stop it.
func (m *Manager) RevokeByID(ctx context.Context, id string) error {
	return m.revokeIf(ctx, id, func(string) bool { return true })
}

func (m *Manager) revokeIf(ctx context.Context, id string, allowed func(owner string) bool) error {
	ctx, cancel := m.records.detached(ctx)
	defer cancel()
	snap, err := m.records.byID(ctx, id)
	if err != nil {
		return err
	}
	if !allowed(snap.Subject()) {
		return ErrNotFound
	}
	return m.records.end(ctx, &snap, ReasonRevoked)
}

// RevokeAll ends the sessions of a subject for good, except for those whose ids are given, and
// returns how many it ended. All sessions that exist when RevokeAll is called end; concurrent
// requests cannot save or renew them. If it returns an error, some sessions may be left: call
// it again. A client that disconnects does not stop it. It returns [errors.ErrUnsupported] if
// the store has no index of subjects.
func (m *Manager) RevokeAll(ctx context.Context, subject string, except ...string) (int, error) {
	listCtx, cancel := m.records.detached(ctx)
	defer cancel()
	recs, err := m.records.bySubject(listCtx, subject)
	if err != nil {
		return 0, err
	}
	return m.revokeRecords(ctx, recs, ReasonRevokedAll, except)
}

// RevokeOthers ends all sessions of the signed-in subject except for s, such as after a change
// of password (OWASP ASVS 5.0, 7.4.3), and returns how many it ended. It returns [ErrGone], and
// ends nothing, if s has been ended meanwhile, and [ErrAnonymous] if nobody is signed in.
func (m *Manager) RevokeOthers(ctx context.Context, s *Session) (int, error) {
	if s.manager != m {
		return 0, errOtherManager
	}
	ref, stored, err := s.signedInRef()
	if err != nil {
		return 0, err
	}
	if stored {
		if err := m.checkAlive(ctx, ref); err != nil {
			return 0, err
		}
	}
	return m.RevokeAll(ctx, ref.subject, m.keyspace.idOf(ref.key))
}

var errOtherManager = errors.New("sessions: the session belongs to another manager")

// signedInRef returns the reference to a signed-in session. The session is not stored yet if
// the login that starts it has not been committed.
func (s *Session) signedInRef() (ref *sessionRef, stored bool, err error) {
	_ = s.ID() // A new session gets its id here.
	s.mu.Lock()
	defer s.mu.Unlock()
	ref = s.ref()
	switch {
	case s.status == statusGone && s.latestLogin() == nil:
		err = ErrGone
	case ref.key == "":
		err = ErrAnonymous
	case ref.subject == "":
		err = cmp.Or(s.failure, ErrAnonymous)
	}
	return ref, s.snap.Stored(), err
}

// checkAlive returns ErrGone if the session has been ended, or if its secret is no longer
// valid.
func (m *Manager) checkAlive(ctx context.Context, ref *sessionRef) error {
	ctx, cancel := m.records.detached(ctx)
	defer cancel()
	return goneIfNotFound(m.records.reopen(ctx, &verified{}, &ref.ticket))
}

// RevokeEverything ends every session of this manager that exists when it is called, signed in
// or not, and returns how many it ended (OWASP ASVS 5.0, 7.4.5). If it returns an error, some
// sessions may be left: call it again. It returns [errors.ErrUnsupported] if the store cannot
// list sessions.
func (m *Manager) RevokeEverything(ctx context.Context) (n int, err error) {
	for cursor := ""; ; {
		pageCtx, cancel := m.records.detached(ctx)
		recs, next, err := m.records.page(pageCtx, cursor, 0)
		cancel()
		if err != nil {
			return n, err
		}
		ended, err := m.revokeRecords(ctx, recs, ReasonRevokedEverything, nil)
		n += ended
		if err != nil || next == "" {
			return n, err
		}
		cursor = next
	}
}

// revokeRecords ends the sessions of records from a list, except for those whose ids are given,
// each with a timeout of its own. A record that has expired by the policy of this process, or
// that it cannot decode, may be a live session to a process of another release: it is deleted
// too, and not counted.
func (m *Manager) revokeRecords(
	ctx context.Context, recs []Record, reason Reason, except []string,
) (n int, err error) {
	for i := range recs {
		snap := record.Snapshot{Record: recs[i]}
		status := m.records.inspect(ctx, &snap, time.Now())
		if status <= recordMark || slices.Contains(except, m.keyspace.idOf(snap.Record.Key)) {
			continue
		}
		if err := m.revokeRecord(ctx, &snap, status, reason); err != nil {
			return n, err
		}
		if status == recordLive {
			n++
		}
	}
	return n, nil
}

func (m *Manager) revokeRecord(
	ctx context.Context, snap *record.Snapshot, status recordStatus, reason Reason,
) error {
	ctx, cancel := m.records.detached(ctx)
	defer cancel()
	if status == recordLive {
		return m.records.end(ctx, snap, reason)
	}
	return m.records.delete(ctx, snap.Record.Key)
}
