package core

import (
	"context"
	"errors"
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
	for range saveAttempts {
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
