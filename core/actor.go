package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// A session in which somebody acts for its subject is valid for as long as the secret with which
// they have opened their own session: its record names both. So every request that opens it looks
// for that one, and every commit looks again after its save: whoever ends the own session ends
// both.

// openAndCheck is open, and checks that who acts in the session may still do so.
func (r *records) openAndCheck(ctx context.Context, v *verified, t *ticket.Ticket) error {
	if err := r.open(ctx, v, t); err != nil || !v.snap.HasExtensions() {
		return err
	}
	return r.checkActor(ctx, v, t)
}

// reopenAndCheck is openAndCheck for a request that has opened the session before.
func (r *records) reopenAndCheck(ctx context.Context, v *verified, t *ticket.Ticket) error {
	if err := r.reopen(ctx, v, t); err != nil {
		return err
	}
	return r.checkActor(ctx, v, t)
}

// checkActor ends the session in v, and returns ErrNotFound or errOvertaken, if who acts in it has
// no session of their own any more.
func (r *records) checkActor(ctx context.Context, v *verified, t *ticket.Ticket) error {
	if v.snap.Actor() == (record.Actor{}) {
		return nil
	}
	if _, err := r.ofActor(ctx, &v.snap); !errors.Is(err, ErrNotFound) {
		return err
	}
	key := r.key(t.ID)
	v.snap.Record.Key = key
	if err := r.end(ctx, &v.snap, ReasonActor); err != nil {
		return err
	}
	rec, err := r.load(ctx, key)
	if err != nil {
		return r.loadError(ctx, key, err)
	}
	return r.verifyRecord(ctx, v, &rec, t) // It has a mark, which says why.
}

// ofActor returns the own session of who acts in the session snap. It returns ErrNotFound if that
// has ended, or if their secret would not open it any longer.
func (r *records) ofActor(
	ctx context.Context, snap *record.Snapshot,
) (own record.Snapshot, err error) {
	actor := snap.Actor()
	if own, err = r.byKey(ctx, r.key(actor.Session)); err != nil {
		return own, err
	}
	if !own.SignedIn() || actor.Subject != "" && own.Subject() != actor.Subject ||
		!opensBy(&own, &actor.Digest, time.Now().UnixMilli()) {
		return own, ErrNotFound // Somebody has signed in or stepped up with it.
	}
	return own, nil
}

// withActors returns the sessions without those of somebody who acts for the subject and has no
// session of their own any more. They end with their next request.
func (r *records) withActors(ctx context.Context, snaps []record.Snapshot) []record.Snapshot {
	return slices.DeleteFunc(snaps, func(s record.Snapshot) bool {
		if s.Actor() == (record.Actor{}) {
			return false
		}
		_, err := r.ofActor(ctx, &s)
		return errors.Is(err, ErrNotFound)
	})
}
