package core

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// comeBack gives the own session of who acts in the session snap a new secret, since the browser
// has no cookie of it. It returns ErrNotFound if that session has ended. The secret from before
// becomes a twin of the new one: if two requests come back at once, the browser may keep either's
// cookie.
func (x *executor) comeBack(
	ctx context.Context, snap *record.Snapshot, at *moment, out *composed,
) error {
	for range saveAttempts {
		stored, err := x.ofActor(ctx, snap)
		if err != nil {
			return err
		}
		own := verified{snap: stored, standing: standingFormer}
		own.ticket.ID = snap.Actor().Session
		l := login{subject: own.snap.Subject(), stepUp: true} // It proves nothing new.
		d := delta{secret: secretLogin, login: &l}
		if err := x.compose(&own, &d, at, out); err != nil {
			return err
		}
		rec, err := x.save(ctx, &out.snap.Record)
		if err == nil {
			out.snap.Record.Version = rec.Version
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return x.saveError(ctx, out.snap.Record.Key, err)
		}
	}
	return x.storeFailure(ctx, "save", out.snap.Record.Key, ErrConflict)
}
