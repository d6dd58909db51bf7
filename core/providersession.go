package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// The sessions of an identity provider's session are found by a record that names them. A login
// adds its session to it after its save, and the end of the provider's session is noted there
// before the named ones are ended: either it finds the session of the login, or the login finds
// the note and ends the session. Every store can keep the record, as that of a revocation.

// providerEndedKey is the key of the note that the provider's session has ended. The other keys of
// the record are the ids of sessions, which are longer.
const providerEndedKey = "ended"

// providerKey returns the key of the record for a provider's session, as revocationKey does.
func (ks *keyspace) providerKey(session string) string {
	return ks.noteKey("cloakroom provider session v1 " + ks.subjectKey(session))
}

// noteAttempts limits how often a note is changed again because others were faster.
const noteAttempts = 64

// providerNote is what the record for a provider's session says.
type providerNote struct {
	rec   Record
	ids   []string
	ended bool
}

// loadProviderNote returns the note for a provider's session, which is empty if there is none.
func (r *records) loadProviderNote(ctx context.Context, session string) (providerNote, error) {
	key := r.providerKey(session)
	n := providerNote{rec: Record{Key: key}}
	rec, err := r.load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, r.loadError(ctx, key, err)
	}
	snap := record.Snapshot{Record: rec}
	switch err := snap.Decode(); {
	case errors.Is(err, record.ErrFormat):
		return n, r.storeFailure(ctx, "load", key, err)
	case err != nil:
		r.reportUndecodable(ctx, &snap, err)
		n.rec.Version = rec.Version // It is replaced.
		return n, nil
	}
	n.rec = rec
	snap.Each(func(name, _ []byte) {
		if string(name) == providerEndedKey {
			n.ended = true
		} else {
			n.ids = append(n.ids, string(name))
		}
	})
	return n, nil
}

// saveProviderNote returns ErrConflict, or the error of the store reported.
func (r *records) saveProviderNote(ctx context.Context, n *providerNote) error {
	snap := record.Snapshot{Record: n.rec}
	now := time.Now().UnixMilli()
	h := record.Header{
		Times: record.Times{Created: now, Seen: now},
		Identity: record.Identity{
			CookieName: []byte(r.cookieName), Ended: []byte(ReasonProvider),
		},
	}
	var entries []record.Entry
	if n.ended {
		entries = append(entries, record.Entry{Key: []byte(providerEndedKey)})
	}
	for _, id := range n.ids {
		entries = append(entries, record.Entry{Key: []byte(id)})
	}
	snap.Encode(&h, entries)
	_, err := r.save(ctx, &snap.Record)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound): // It may have expired.
		return ErrConflict
	}
	return r.storeFailure(ctx, "save", n.rec.Key, err)
}

// changeProviderNote changes the note for a provider's session. If change returns false, it is
// left as it is.
func (r *records) changeProviderNote(
	ctx context.Context, session string, change func(*providerNote) bool,
) (n providerNote, err error) {
	for range noteAttempts {
		if n, err = r.loadProviderNote(ctx, session); err != nil || !change(&n) {
			return n, err
		}
		if err = r.saveProviderNote(ctx, &n); !errors.Is(err, ErrConflict) {
			return n, err
		}
	}
	return n, r.storeFailure(ctx, "save", n.rec.Key, err)
}

// endProviderNote notes that a provider's session has ended, and returns the ids of its sessions.
// The note is kept for as long as a login may refer to the provider's session.
func (r *records) endProviderNote(
	ctx context.Context, session string, life time.Duration,
) ([]string, error) {
	n, err := r.changeProviderNote(ctx, session, func(n *providerNote) bool {
		n.ended = true
		n.rec.Expires = time.Now().Add(life + maxClockSkew)
		return true
	})
	return n.ids, err
}

// namedAtMost is from how many sessions on those that have ended are left out.
const namedAtMost = 64

// joinProviderSession adds a session that was saved to those of its provider's session, if it has
// one and this is a login, or extends their record as the session was extended. It reports whether
// the provider's session has ended.
func (r *records) joinProviderSession(
	ctx context.Context, before, after *record.Snapshot, login bool,
) (ended bool, err error) {
	provider := after.Extensions().ProviderSession()
	if provider == "" || !login && !extendsNote(before, after) {
		return false, nil
	}
	first := true
	n, err := r.changeProviderNote(ctx, provider, func(n *providerNote) bool {
		if !n.ended {
			r.nameSession(ctx, n, provider, &after.Record, first)
		}
		first = false
		return !n.ended
	})
	return n.ended, err
}

// leaveProviderSession removes a session that has ended from those of its provider's session. If
// that fails, the record names it until it expires.
func (r *records) leaveProviderSession(ctx context.Context, snap *record.Snapshot) {
	provider := snap.Extensions().ProviderSession()
	if provider == "" {
		return
	}
	_, _ = r.changeProviderNote(ctx, provider, func(n *providerNote) bool {
		i := slices.Index(n.ids, r.idOf(snap.Record.Key))
		if i < 0 || n.ended {
			return false
		}
		if n.ids = slices.Delete(n.ids, i, i+1); len(n.ids) == 0 {
			n.rec.Expires = time.Now().Add(maxClockSkew) // A deletion could miss a login.
		}
		return true
	})
}

// extendsNote reports whether the expiry of a session passes a multiple of a quarter of its idle
// timeout. The note lasts longer than the session by more than that.
func extendsNote(before, after *record.Snapshot) bool {
	step := after.Idle / 4
	return before.Idle != after.Idle || step > 0 &&
		before.Record.Expires.UnixMilli()/step != after.Record.Expires.UnixMilli()/step
}

// nameSession changes the note so that it names the session of the record for as long as that
// lasts. If this is the first attempt, it leaves out those that have ended, if there are many.
func (r *records) nameSession(
	ctx context.Context, n *providerNote, provider string, rec *Record, first bool,
) {
	id, expires := r.idOf(rec.Key), rec.Expires
	if !expires.IsZero() {
		expires = expires.Add(time.Until(expires)/2 + maxClockSkew)
	}
	n.rec.Subject = rec.Subject // So it is kept like that user's sessions.
	isNew, never := n.rec.Version == 0, n.rec.Expires.IsZero()
	if isNew || expires.IsZero() || !never && expires.After(n.rec.Expires) {
		n.rec.Expires = expires
	}
	if slices.Contains(n.ids, id) {
		return
	}
	if len(n.ids) >= namedAtMost && first {
		n.ids = slices.DeleteFunc(n.ids, func(id string) bool {
			snap, err := r.byID(ctx, id)
			return errors.Is(err, ErrNotFound) ||
				err == nil && snap.Extensions().ProviderSession() != provider
		})
	}
	n.ids = append(n.ids, id)
}
