package core

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// A note is a record that is no session, but tells of several. To whoever lists sessions it is a
// mark. Its key is that of a UUIDv8, which no session has, so every store can keep it.

// loadNote returns the note under a key, which is zero but for the key if there is none. One that
// is damaged is reported, and has no contents but the version, so that it is replaced.
func (r *records) loadNote(ctx context.Context, key string) (snap record.Snapshot, err error) {
	snap.Record.Key = key
	rec, err := r.load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return snap, nil
	}
	if err != nil {
		return snap, r.loadError(ctx, key, err)
	}
	found := record.Snapshot{Record: rec}
	switch err := found.Decode(); {
	case errors.Is(err, record.ErrFormat):
		return snap, r.storeFailure(ctx, "load", key, err)
	case err != nil:
		r.reportUndecodable(ctx, &found, err)
		snap.Record.Version = rec.Version
		return snap, nil
	}
	return found, nil
}

// saveNote saves a note in place of the version in rec. It returns ErrConflict if that is not
// stored any longer.
func (r *records) saveNote(
	ctx context.Context, rec Record, reason Reason, entries []record.Entry,
) error {
	now := time.Now().UnixMilli()
	snap := record.Snapshot{Record: rec}
	snap.Encode(&record.Header{
		Times: record.Times{Created: now, Seen: now},
		Identity: record.Identity{
			CookieName: []byte(r.cookieName), Ended: []byte(reason),
		},
	}, entries)
	_, err := r.save(ctx, &snap.Record)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound): // It may have expired.
		return ErrConflict
	}
	return r.storeFailure(ctx, "save", rec.Key, err)
}
