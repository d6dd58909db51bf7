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

// loadProviderNote returns the note under a key, which is empty if there is none.
func (r *records) loadProviderNote(ctx context.Context, key string) (n providerNote, err error) {
	snap, err := r.loadNote(ctx, key)
	n.rec = snap.Record
	snap.Each(func(name, _ []byte) {
		if string(name) == providerEndedKey {
			n.ended = true
		} else {
			n.ids = append(n.ids, string(name))
		}
	})
	return n, err
}

// entries returns the contents of the note.
func (n *providerNote) entries() (entries []record.Entry) {
	if n.ended {
		entries = append(entries, record.Entry{Key: []byte(providerEndedKey)})
	}
	for _, id := range n.ids {
		entries = append(entries, record.Entry{Key: []byte(id)})
	}
	return entries
}

// changeProviderNote changes the note under a key. If change returns false, the note is left as it
// is.
func (r *records) changeProviderNote(
	ctx context.Context, key string, change func(*providerNote) bool,
) (n providerNote, err error) {
	for range noteAttempts {
		if n, err = r.loadProviderNote(ctx, key); err != nil || !change(&n) {
			return n, err
		}
		err = r.saveNote(ctx, n.rec, ReasonProvider, n.entries())
		if !errors.Is(err, ErrConflict) {
			return n, err
		}
	}
	return n, r.storeFailure(ctx, "save", key, err)
}

// endProviderNote notes that a provider's session has ended, and returns the ids of its sessions.
// The note is kept for as long as a login may refer to the provider's session.
func (r *records) endProviderNote(
	ctx context.Context, session string, life time.Duration,
) ([]string, error) {
	key := r.providerKey(session)
	n, err := r.changeProviderNote(ctx, key, func(n *providerNote) bool {
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
	pruned := false
	key := r.providerKey(provider)
	n, err := r.changeProviderNote(ctx, key, func(n *providerNote) bool {
		if n.ended {
			return false
		}
		if len(n.ids) >= namedAtMost && !pruned {
			pruned = true
			n.ids = r.withoutEnded(ctx, provider, n.ids)
		}
		n.name(r.idOf(after.Record.Key), &after.Record)
		return true
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
	key := r.providerKey(provider)
	_, _ = r.changeProviderNote(ctx, key, func(n *providerNote) bool {
		i := slices.Index(n.ids, r.idOf(snap.Record.Key))
		if i < 0 || n.ended {
			return false
		}
		if n.ids = slices.Delete(n.ids, i, i+1); len(n.ids) == 0 {
			// It is not deleted, because a login may be about to join it.
			n.rec.Expires = time.Now().Add(maxClockSkew)
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

// name changes the note so that it names the session of the record for as long as that lasts.
func (n *providerNote) name(id string, rec *Record) {
	expires := rec.Expires
	if !expires.IsZero() {
		expires = expires.Add(time.Until(expires)/2 + maxClockSkew)
	}
	n.rec.Subject = rec.Subject // So it is kept like that user's sessions.
	isNew, never := n.rec.Version == 0, n.rec.Expires.IsZero()
	if isNew || expires.IsZero() || !never && expires.After(n.rec.Expires) {
		n.rec.Expires = expires
	}
	if !slices.Contains(n.ids, id) {
		n.ids = append(n.ids, id)
	}
}

// withoutEnded returns the ids of the sessions that may still be those of a provider's session.
func (r *records) withoutEnded(ctx context.Context, provider string, ids []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool {
		snap, err := r.byID(ctx, id)
		return errors.Is(err, ErrNotFound) ||
			err == nil && snap.Extensions().ProviderSession() != provider
	})
}
