package core

import (
	"cmp"
	"context"
	"errors"
)

// Revoke ends one session of a subject for good, by its public id. It returns [ErrNotFound],
// and ends nothing, if there is no such session, if it belongs to another subject, or if
// subject is "". So an id from a request can be passed on as it is. A client that disconnects
// does not stop it.
func (m *Manager) Revoke(ctx context.Context, subject, id string) error {
	if subject == "" {
		return cmp.Or(m.made(), ErrNotFound)
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
	if err := m.made(); err != nil {
		return err
	}
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
// requests cannot save or renew them. A login of the subject whose proof began before the call is
// refused when it commits; see [Auth.At].
//
// If a session cannot be ended, RevokeAll goes on with the others. It then returns an error that
// names the first few failures, and some sessions may be left: call it again. A client that
// disconnects does not stop it. It is an error if subject is "".
//
// If the store has no index of subjects, RevokeAll refuses the logins that are under way, ends
// nothing, and returns [errors.ErrUnsupported].
func (m *Manager) RevokeAll(ctx context.Context, subject string, except ...string) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	if subject == "" {
		return 0, errNoSubject
	}
	r := revoker{m: m, reason: ReasonRevokedAll, subject: subject, except: except}
	r.note(m.records.noteRevocation(ctx, subject, except, m.timeouts.proofLife()))
	r.note(r.endSubject(ctx))
	return r.ended, r.err()
}

var errNoSubject = errors.New("sessions: the subject is empty; " +
	"pass the one that was given to Login")

// Erase removes what the store keeps about a subject, as when a user asks for it, and returns how
// many sessions it ended. It is like [Manager.RevokeAll], but leaves no marks of the sessions, so
// that concurrent requests continue as visitors without a session. Two things stay for a while:
// marks of sessions that ended before, which have no subject and no values, for [Options.Grace]
// and a minute; and for ten minutes a record under a hash of the subject, which refuses
// concurrent logins. A record under a hash of an [Auth.ProviderSession] may stay without the
// subject, for a minute, or for as long as sessions of others are in it or it refuses logins.
// Make sure first that the subject cannot sign in any more. A session in which the subject acts
// for another one keeps their name until its next request or its end.
//
// If Erase returns an error, something may be left: call it again. It is an error if subject is
// "". Erase returns [errors.ErrUnsupported] if the store has no index of subjects.
func (m *Manager) Erase(ctx context.Context, subject string) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	if subject == "" {
		return 0, errNoSubject
	}
	r := revoker{m: m, reason: ReasonRevokedAll, subject: subject, erase: true}
	r.note(m.records.noteRevocation(ctx, subject, nil, erasedFor))
	r.note(r.endSubject(ctx))
	return r.ended, r.err()
}

// RevokeProviderSession ends the sessions whose logins have named a session of an identity
// provider, in [Auth.ProviderSession], and returns how many it ended. It is for single logout: the
// sid of a logout token of OpenID Connect Back-Channel Logout 1.0, for instance. If the token
// names a user instead, call [Manager.RevokeAll]. A login with the same provider session that
// commits after the call is refused, for [Options.Lifetime], or for a day if there is none; so the
// logout may be faster than the login. It works with every store. Logins that name a provider
// session cost two calls of the store more.
//
// If a session cannot be ended, RevokeProviderSession goes on with the others, as RevokeAll does.
// It is an error if session is "".
func (m *Manager) RevokeProviderSession(ctx context.Context, session string) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	if session == "" {
		return 0, errNoProviderSession
	}
	noteCtx, cancel := m.records.detached(ctx)
	defer cancel()
	r := revoker{m: m, reason: ReasonProvider, provider: session}
	ids, err := m.records.endProviderNote(noteCtx, session, m.timeouts.proofLife())
	r.note(err)
	for _, id := range ids {
		r.try(func() error { return r.endKey(ctx, m.keyspace.prefix+id) })
	}
	return r.ended, r.err()
}

var errNoProviderSession = errors.New("sessions: the provider's session is empty; " +
	"pass the one that was given in Auth.ProviderSession")

// RevokeOthers ends all sessions of the signed-in subject except for s, such as after a change
// of password (OWASP ASVS 5.0, 7.4.3), and returns how many it ended. It returns [ErrGone], and
// ends nothing, if s has been ended meanwhile, and [ErrAnonymous] if nobody is signed in.
func (m *Manager) RevokeOthers(ctx context.Context, s *Session) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	if s == nil || s.manager != m {
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
	return goneIfNotFound(m.records.reopenAndCheck(ctx, &verified{}, &ref.ticket))
}

// RevokeEverything ends every session of this manager that exists when it is called, signed in
// or not, and returns how many it ended (OWASP ASVS 5.0, 7.4.5). If a session cannot be ended,
// RevokeEverything goes on with the others, as [Manager.RevokeAll] does. Logins that are under way
// in this process are refused. Those in other processes may commit afterwards: call it again when
// they must be over. It returns [errors.ErrUnsupported] if the store cannot list sessions.
func (m *Manager) RevokeEverything(ctx context.Context) (int, error) {
	if err := m.made(); err != nil {
		return 0, err
	}
	r := revoker{m: m, reason: ReasonRevokedEverything}
	if m.records.lister == nil {
		return 0, unsupported("list sessions")
	}
	m.records.revocations.revokeEverything()
	r.note(r.walk(func(cursor string) (next string, err error) {
		pageCtx, cancel := m.records.detached(ctx)
		recs, next, err := m.records.page(pageCtx, cursor, 0)
		cancel()
		r.endRecords(ctx, recs)
		return next, err
	}))
	return r.ended, r.err()
}
