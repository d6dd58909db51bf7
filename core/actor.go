package core

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// A session in which somebody acts for its subject lasts no longer than their own session, which
// its record names. So every request that opens it looks for that one, and every commit looks
// again after its save: whoever ends the own session ends both.

// openBound opens a session as open does, and checks who acts in it.
func (r *records) openBound(ctx context.Context, v *verified, t *ticket.Ticket) error {
	if err := r.open(ctx, v, t); err != nil || !v.snap.HasExtensions() {
		return err
	}
	return r.checkActor(ctx, v, t)
}

// reopenBound is openBound for a request that has opened the session before.
func (r *records) reopenBound(ctx context.Context, v *verified, t *ticket.Ticket) error {
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
	var own record.Snapshot
	err := r.ofActor(ctx, &v.snap, &own)
	if !errors.Is(err, ErrNotFound) {
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

// ofActor sets own to the session of who acts in the session snap, or returns ErrNotFound.
func (r *records) ofActor(ctx context.Context, snap, own *record.Snapshot) error {
	actor := snap.Actor()
	id := r.idOf(r.key(actor.Session))
	found, err := r.byID(ctx, id)
	if err != nil {
		return err
	}
	if !found.SignedIn() || actor.Subject != "" && found.Subject() != actor.Subject {
		return ErrNotFound // Another subject has signed in with it.
	}
	*own = found
	return nil
}
