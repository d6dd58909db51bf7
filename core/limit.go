package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Limit says what happens when a subject who has [Options.MaxSessions] sessions signs in once more.
type Limit uint8

// The ways to keep the limit.
const (
	// EvictOldest ends the session whose subject signed in, or stepped up, longest ago.
	EvictOldest Limit = iota
	// EvictIdle ends the session that was not used for longest.
	EvictIdle
	// RefuseLogin makes the commit of the new login fail with [ErrLimit].
	RefuseLogin
)

// String returns what the limit does.
func (l Limit) String() string {
	switch l {
	case EvictOldest:
		return "the oldest is ended"
	case EvictIdle:
		return "the one idle longest is ended"
	case RefuseLogin:
		return "a login is refused"
	}
	return "unknown"
}

// refusals bounds how often a login that raced with others for the last place is tried again.
const refusals = 8

// signIn saves w, and where it signs somebody in keeps the limit of sessions per subject. Logins of one subject in
// this process stand in a line; those in other processes are seen after the save at the latest, because the index shows what
// was saved before it is read.
func (m *Manager) signIn(ctx context.Context, w *work) error {
	if m.maxSessions == 0 || w.delta.login == nil || m.onLimit == RefuseLogin && w.signedIn() {
		return m.put(ctx, w)
	}
	subject := m.subjectKey(w.delta.login.subject)
	door := m.doors[int(subject[0])%len(m.doors)]
	if _, err := m.enter(ctx, door); err != nil {
		return m.outage(ctx, "save", w.snap.rec.Key, err)
	}
	defer door.leave()
	if m.onLimit == RefuseLogin {
		return m.signInOrRefuse(ctx, w)
	}
	return m.signInAndEvict(ctx, w)
}

// signInAndEvict saves the login and ends what is beyond the limit. All who sign in at once choose by the same order, so
// they choose the same sessions.
func (m *Manager) signInAndEvict(ctx context.Context, w *work) error {
	others, err := m.others(ctx, w)
	if err != nil {
		return err
	}
	d, l := *w.delta, *w.delta.login // the session shows its own to the handler
	latest := w.now.Add(maxSkew).UnixMilli()
	for i := range others {
		// A login that follows another is later, even where this process's clock is behind.
		l.at = max(l.at, m.rank(&others[i], latest)+1)
	}
	d.login, w.delta, w.undoable = &l, &d, true
	if err := m.put(ctx, w); err != nil {
		return err
	}
	if err = m.evict(ctx, w); err != nil && !errors.Is(err, ErrNotFound) {
		return m.takeBack(ctx, w, err)
	}
	return err
}

// evict ends what is beyond the limit after the login of w. It is ErrNotFound if that is among it.
func (m *Manager) evict(ctx context.Context, w *work) error {
	all, err := m.sessionsOf(ctx, w.delta.login.subject)
	if err != nil || len(all) <= m.maxSessions {
		return err
	}
	order := pointers(all)
	latest := max(w.now.Add(maxSkew).UnixMilli(), w.delta.login.at+time.Second.Milliseconds())
	slices.SortFunc(order, func(a, b *snapshot) int {
		return cmp.Or(cmp.Compare(m.rank(a, latest), m.rank(b, latest)), strings.Compare(a.rec.Key, b.rec.Key))
	})
	ended := false
	for _, snap := range order[:len(order)-m.maxSessions] {
		m.limitReached(ctx, w, snap)
		if err := m.revoke(ctx, snap, ReasonLimit); err != nil {
			return err
		}
		ended = ended || snap.rec.Key == w.snap.rec.Key
	}
	if ended {
		return ErrNotFound // later logins of other processes have taken the places
	}
	return nil
}

func pointers(snaps []snapshot) []*snapshot {
	out := make([]*snapshot, len(snaps))
	for i := range snaps {
		out[i] = &snaps[i]
	}
	return out
}

// maxSkew is how far the clocks of several servers may be apart.
const maxSkew = time.Minute

// rank returns the time by which sessions are ended, the earliest first: of the login, which is a use too, or of the last
// use. One after latest, which no clock that is right can have told, goes before all others.
func (m *Manager) rank(snap *snapshot, latest int64) int64 {
	at := snap.auth
	if m.onLimit == EvictIdle {
		at = max(snap.seen, at)
	}
	if at > latest {
		return 0
	}
	return at
}

// signInOrRefuse saves the login if there is a place for it. Those of several processes who find that together they took
// too many give their places back, and try again one after the other.
func (m *Manager) signInOrRefuse(ctx context.Context, w *work) error {
	w.undoable = true
	for n := range refusals {
		start := time.Now()
		others, err := m.others(ctx, w)
		if err != nil {
			return err
		}
		if len(others) >= m.maxSessions {
			break
		}
		if err := m.put(ctx, w); err != nil {
			return err
		}
		if others, err = m.others(ctx, w); err != nil {
			return m.takeBack(ctx, w, err)
		}
		if len(others) < m.maxSessions {
			return nil
		}
		if err := m.withdraw(ctx, w); err != nil {
			return err
		}
		sleep(ctx, m.jitter(time.Since(start)<<min(n, 4))) // at the pace of the store, so that one is through before the next
	}
	m.limitReached(ctx, w, &w.snap)
	return ErrLimit
}

// signedIn reports whether the session that w changes is one of the subject's already, so that it takes no further place.
func (w *work) signedIn() bool {
	return w.snap.stored() && w.snap.subject() == w.delta.login.subject
}

// takeBack withdraws a login whose commit fails with err: the client gets an error and no cookie, so it keeps the secret that
// it has.
func (m *Manager) takeBack(ctx context.Context, w *work, err error) error {
	if undone := m.withdraw(ctx, w); errors.Is(undone, ErrNotFound) {
		return undone
	}
	return err
}

// withdraw undoes a login that nobody has been told of, and makes w what it was before. It has a deadline of its own,
// because the commit's may be what has failed.
func (m *Manager) withdraw(ctx context.Context, w *work) error {
	ctx, cancel := m.outlive(ctx)
	defer cancel()
	saved, login := w.snap.rec, w.delta.login
	*w = *w.before
	w.undoable = true
	if w.kind == workCreate {
		return m.withdrawNew(ctx, w, saved.Key)
	}
	if who := w.snap.subject(); who != "" && who != login.subject {
		// While the session was not in the index under that name, all of its sessions may have been revoked.
		return cmp.Or(m.remove(ctx, saved.Key), ErrNotFound)
	}
	undone := w.snap.rec
	undone.Version = saved.Version
	rec, err := m.save(ctx, &undone)
	if errors.Is(err, ErrConflict) {
		return ErrNotFound // nobody has its secret, so only an end from outside can have come between
	}
	if err != nil {
		return m.saveError(ctx, saved.Key, err)
	}
	w.snap.rec.Version, w.undone = rec.Version, true
	return nil
}

// withdrawNew deletes a session that began with the login, and draws another ticket: a key that was deleted is not used
// again.
func (m *Manager) withdrawNew(ctx context.Context, w *work, k string) error {
	if err := m.remove(ctx, k); err != nil {
		return err
	}
	t, err := m.newTicket(w.now)
	if err != nil {
		return err
	}
	w.ticket, w.snap, w.undone = t, snapshot{rec: Record{Key: key(m.prefix, t.id)}}, true
	return nil
}

// others returns the sessions of the subject that signs in with w, but for the one that w saves.
func (m *Manager) others(ctx context.Context, w *work) ([]snapshot, error) {
	all, err := m.sessionsOf(ctx, w.delta.login.subject)
	return slices.DeleteFunc(all, func(s snapshot) bool { return s.rec.Key == w.snap.rec.Key }), err
}

// limitReached tells that the subject of w has as many sessions as allowed. The session is the one that this ends or refuses.
func (m *Manager) limitReached(ctx context.Context, w *work, snap *snapshot) {
	m.emit(ctx, Event{Kind: EventLimitReached, SessionID: m.idOf(snap.rec.Key), Subject: w.delta.login.subject})
}
