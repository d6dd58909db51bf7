package core

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// keepBonds is called after a save or touch. It does what a session needs that depends on another
// one: that of who acts in it, or that of an identity provider.
func (x *executor) keepBonds(ctx context.Context, p *commitPlan, o *outcome) error {
	if err := x.joinProviderSession(ctx, p, o); err != nil {
		return err
	}
	return x.keepActor(ctx, p, o)
}

// namedAtMost is from how many sessions on a login leaves out those that have ended.
const namedAtMost = 64

// joinProviderSession adds the session that a commit has saved to those of the provider's session,
// if it has one, and extends their record as the session was extended. If the provider's session
// has ended, it ends this one.
func (x *executor) joinProviderSession(
	ctx context.Context, p *commitPlan, o *outcome,
) error {
	provider := o.snap.Extensions().ProviderSession()
	login := p.delta.getLogin() != nil
	if provider == "" || !login && !extendsNote(&p.snap, &o.snap) {
		return nil
	}
	n, err := x.changeProviderNote(ctx, provider, func(n *providerNote) bool {
		if !n.ended {
			x.nameSession(ctx, n, provider, &o.snap.Record)
		}
		return !n.ended
	})
	switch {
	case n.ended:
		return x.endSaved(ctx, p, o, ReasonProvider)
	case err != nil && login:
		return x.undoLoginAndFail(ctx, p, o, err)
	}
	return nil // The next extension tries again.
}

// extendsNote reports whether the expiry of a session passes a multiple of a quarter of its idle
// timeout. The note lasts longer than the session by more than that.
func extendsNote(before, after *record.Snapshot) bool {
	step := after.Idle / 4
	return step > 0 && !before.Record.Expires.IsZero() &&
		before.Record.Expires.UnixMilli()/step != after.Record.Expires.UnixMilli()/step
}

// nameSession changes the note so that it names the session of the record for as long as that
// lasts.
func (x *executor) nameSession(
	ctx context.Context, n *providerNote, provider string, rec *Record,
) {
	id, expires := x.idOf(rec.Key), rec.Expires
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
	if len(n.ids) >= namedAtMost {
		n.ids = slices.DeleteFunc(n.ids, func(id string) bool {
			snap, err := x.byID(ctx, id)
			return errors.Is(err, ErrNotFound) ||
				err == nil && snap.Extensions().ProviderSession() != provider
		})
	}
	n.ids = append(n.ids, id)
}

// keepActor is called after a save or touch of a session in which somebody acts for its subject.
// It extends their own session too, because they are using it. If that has ended, it ends this
// one.
func (x *executor) keepActor(ctx context.Context, p *commitPlan, o *outcome) error {
	if o.snap.Actor() == (record.Actor{}) {
		return nil
	}
	var own record.Snapshot
	err := x.ofActor(ctx, &o.snap, &own)
	switch {
	case errors.Is(err, ErrNotFound):
		return x.endSaved(ctx, p, o, ReasonActor)
	case err != nil && p.kind == planCreate:
		return x.undoLoginAndFail(ctx, p, o, err)
	case err != nil:
		return nil //nolint:nilerr // It is saved, and the next request looks again.
	}
	if !p.passive && x.touchDue(&own.Times, p.now.UnixMilli()) {
		x.extend(ctx, &own, p.now)
	}
	return nil
}

// extend records the use of a session by a request that has not presented its ticket. If it fails,
// the next request tries again.
func (x *executor) extend(ctx context.Context, snap *record.Snapshot, now time.Time) {
	p := commitPlan{
		verified: verified{snap: *snap, standing: standingHeld},
		moment:   moment{now: now}, kind: planTouch, delta: &delta{},
	}
	var o outcome
	if end := x.expiresAt(&snap.Times, now.UnixMilli()); x.canTouch(&p, end) {
		rec := snap.Record
		rec.Expires = timeOf(end)
		if err := x.touch(ctx, rec); !errors.Is(err, errors.ErrUnsupported) {
			return
		}
	}
	_, _ = x.attempt(ctx, &p, &o)
}

// comeBack gives the own session of who acts in the session snap a new secret, since the browser
// has no cookie of it. It returns ErrNotFound if that session has ended. The secret from before
// becomes a twin of the new one: if two requests come back at once, the browser may keep either's
// cookie.
func (x *executor) comeBack(
	ctx context.Context, snap *record.Snapshot, at *moment, out *composed,
) error {
	for range saveAttempts {
		own := verified{standing: standingFormer}
		if err := x.ofActor(ctx, snap, &own.snap); err != nil {
			return err
		}
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
