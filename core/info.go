package core

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Info is what lists show of a session. It authenticates nobody.
type Info struct {
	ID              string    // the public id
	Subject         string    // "" while anonymous
	Created         time.Time // when it was first stored
	LastSeen        time.Time // see [Session.LastSeen]
	Expires         time.Time // when it ends unless it is used again; zero: never
	AuthenticatedAt time.Time // of the last login or step-up; zero while anonymous
	Auth            Auth      // how
	IP              string    // where it was last used from, as the framework sees it; "" while anonymous or with NoDevice
	UserAgent       string    // likewise, at most 256 bytes of it
	Persistent      bool      // its cookie outlives the browser
}

// info returns what a list shows of a stored session.
func (m *Manager) info(snap *snapshot) Info {
	h := snap.head()
	d := h.account.device()
	if m.noDevice {
		d = device{} // of before, and not yet out of the record
	}
	return Info{
		ID: m.idOf(snap.rec.Key), Subject: string(h.subject),
		Created: instantOf(h.created), LastSeen: instantOf(h.seen), Expires: instantOf(m.end(&h.life, h.seen)),
		AuthenticatedAt: instantOf(h.auth), Auth: h.account.auth(),
		IP: d.ip, UserAgent: d.agent, Persistent: m.persistent(&h.life),
	}
}

// List returns the sessions of a subject, the one used last first: a user's devices. Every session is among them whose
// login was committed before the call and which has not ended. On a store without an index of subjects it is
// [errors.ErrUnsupported].
func (m *Manager) List(ctx context.Context, subject string) ([]Info, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	snaps, err := m.sessionsOf(ctx, subject)
	infos := make([]Info, 0, len(snaps))
	for i := range snaps {
		infos = append(infos, m.info(&snaps[i]))
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if c := b.LastSeen.Compare(a.LastSeen); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return infos, err
}

// Lookup returns the session with a public id: [ErrNotFound] if there is none. It works on every store.
func (m *Manager) Lookup(ctx context.Context, id string) (Info, error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	snap, err := m.lookup(ctx, id)
	if err != nil {
		return Info{}, err
	}
	return m.info(&snap), nil
}

// Page returns some of all sessions of this manager, signed in or not, about limit of them, and the cursor of the next
// page; the first call passes "", the last page returns "". A session that is there throughout the walk is returned, and
// may be returned twice. A limit of zero or less is 100. On a store that cannot list it is [errors.ErrUnsupported].
func (m *Manager) Page(ctx context.Context, cursor string, limit int) (page []Info, next string, err error) {
	ctx, cancel := m.bound(ctx)
	defer cancel()
	recs, next, err := m.page(ctx, cursor, limit)
	snaps := m.decodeAll(ctx, recs)
	page = make([]Info, 0, len(snaps))
	for i := range snaps {
		page = append(page, m.info(&snaps[i]))
	}
	return page, next, err
}

// All walks all sessions of this manager as [Manager.Page] does. An error is the last thing it yields.
func (m *Manager) All(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for cursor := ""; ; {
			page, next, err := m.Page(ctx, cursor, 0)
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if err != nil {
				yield(Info{}, err)
				return
			}
			if cursor = next; cursor == "" {
				return
			}
		}
	}
}

// Count returns how many records under the manager's prefix have not expired. Where the store cannot count them it walks
// them all; where it cannot do that either it is [errors.ErrUnsupported]. It takes as long as the store needs, or the
// context lets it: StoreTimeout does not bound it.
func (m *Manager) Count(ctx context.Context) (n int, err error) {
	if m.counter != nil {
		n, err = m.count(ctx)
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, m.listError(ctx, "count", err)
		}
	}
	n = 0
	for _, err := range m.All(ctx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// lookup loads a session by its public id.
func (m *Manager) lookup(ctx context.Context, id string) (snapshot, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id {
		return snapshot{}, ErrNotFound
	}
	rec, err := m.load(ctx, key(m.prefix, u))
	if err != nil {
		return snapshot{}, m.loadError(ctx, rec.Key, err)
	}
	if snap, is := m.inspect(ctx, rec, time.Now()); is == live {
		return snap, nil
	}
	return snapshot{}, ErrNotFound
}

// sessionsOf returns the sessions of a subject that have not ended.
func (m *Manager) sessionsOf(ctx context.Context, subject string) ([]snapshot, error) {
	recs, err := m.recordsOf(ctx, subject)
	return slices.DeleteFunc(m.decodeAll(ctx, recs), func(s snapshot) bool { return string(s.holder().subject) != subject }), err
}

// recordsOf returns the records of a subject.
func (m *Manager) recordsOf(ctx context.Context, subject string) ([]Record, error) {
	if m.indexer == nil {
		return nil, unsupported("to find a subject's sessions")
	}
	if subject == "" {
		return nil, nil
	}
	recs, err := m.bySubject(ctx, m.subjectKey(subject))
	if err != nil {
		return nil, m.listError(ctx, "list subject", err)
	}
	return recs, nil
}

// page returns one page of the records under the manager's prefix.
func (m *Manager) page(ctx context.Context, cursor string, limit int) ([]Record, string, error) {
	if m.lister == nil {
		return nil, "", unsupported("to list sessions")
	}
	if limit <= 0 {
		limit = 100
	}
	recs, next, err := m.list(ctx, cursor, limit)
	if err != nil {
		return nil, "", m.listError(ctx, "list", err)
	}
	return recs, next, nil
}

// decodeAll returns the sessions among records from a list.
func (m *Manager) decodeAll(ctx context.Context, recs []Record) []snapshot {
	now := time.Now()
	snaps := make([]snapshot, 0, len(recs))
	for _, rec := range recs {
		if snap, is := m.inspect(ctx, rec, now); is == live {
			snaps = append(snaps, snap)
		}
	}
	return snaps
}

// standing says what a record is to this manager.
type standing uint8

const (
	foreign standing = iota // of another manager
	over                    // it has ended by the policy of this process, or cannot be read by it
	live
)

// inspect decodes a record and says what it is.
func (m *Manager) inspect(ctx context.Context, rec Record, now time.Time) (snapshot, standing) {
	if len(rec.Key) != len(m.prefix)+36 {
		return snapshot{}, foreign // of another manager, whose prefix begins with this one's
	}
	snap := snapshot{rec: rec}
	if err := snap.decode(); err != nil {
		m.report(ctx, slog.LevelWarn, Event{Kind: EventUndecodable, SessionID: m.idOf(rec.Key), Err: err})
		return snapshot{rec: rec}, over
	}
	snap.settleTouch(now.UnixMilli())
	switch {
	case string(snap.name()) != m.name:
		return snapshot{}, foreign
	case m.expired(&snap, now):
		return snap, over
	}
	return snap, live
}

func unsupported(what string) error {
	return fmt.Errorf("sessions: the store has no way %s: %w", what, errors.ErrUnsupported)
}

// listError tells what the store cannot do from what it did not do.
func (m *Manager) listError(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("sessions: %s: %w", operation, err)
	}
	return m.outage(ctx, operation, "", err)
}
