package core

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// What a commit does after its save, because the session depends on something that may have ended
// meanwhile: its subject's sessions may have been revoked, the session of an identity provider may
// be over, and so may that of who acts in it. Each of them notes its end before it looks for
// sessions, and the commit looks for the note after its save, so one of them finds the other.

// saveChanges saves what the plan changes, as a new session or as a change to a stored one. If it
// is a login, the sessions of its subject must not have been revoked since its proof began.
func (x *executor) saveChanges(ctx context.Context, p *commitPlan, o *outcome) error {
	var err error
	if p.kind == planCreate {
		err = x.create(ctx, p, o)
	} else {
		err = x.replace(ctx, p, o)
	}
	if err != nil {
		return err
	}
	if err := x.refuseRevoked(ctx, p, o); err != nil {
		return err
	}
	return x.checkDependencies(ctx, p, o)
}

// refuseRevoked ends the session of a login that was saved, if the sessions of its subject have
// been revoked since its proof began, as the revocation would have done. That ends the session of
// another login, too, which shares it: the record does not say which login's proof began when.
func (x *executor) refuseRevoked(ctx context.Context, p *commitPlan, o *outcome) error {
	l := p.delta.getLogin()
	if l == nil || p.signedIn() {
		return nil
	}
	if x.revocations.everything.Load() > p.arrival {
		return x.endSaved(ctx, p, o, ReasonRevokedEverything)
	}
	last, err := x.lastRevocation(ctx, l.subject)
	if err != nil {
		return x.undoLoginAndFail(ctx, p, o, err)
	}
	if !last.refuses(l, x.idOf(o.snap.Record.Key), p.arrival, x.revocations) {
		return nil
	}
	return x.endSaved(ctx, p, o, ReasonRevokedAll)
}

// endSaved ends the session that a commit has just saved, because what it stands on has ended. It
// returns the error of the commit.
func (x *executor) endSaved(
	ctx context.Context, p *commitPlan, o *outcome, reason Reason,
) error {
	if p.kind == planCreate { // No response has carried its cookie.
		return x.undoLoginAndFail(ctx, p, o, errRevokedMeanwhile)
	}
	if err := x.end(ctx, &o.snap, reason); err != nil {
		return err
	}
	mark := record.Snapshot{Record: markOf(&o.snap, reason, p.now)}
	if mark.Decode() == nil {
		o.overtaker = &verified{snap: mark, ticket: p.ticket, standing: standingEnded}
	}
	if p.delta.getLogin() == nil {
		return ErrNotFound
	}
	return errRevokedMeanwhile
}

// checkDependencies is called after a save or touch of a session. It looks at what the session
// depends on: the own session of who acts in it, and the session of an identity provider.
func (x *executor) checkDependencies(ctx context.Context, p *commitPlan, o *outcome) error {
	if !o.snap.HasExtensions() {
		return nil
	}
	if err := x.keepActor(ctx, p, o); err != nil {
		return err
	}
	return x.keepProviderSession(ctx, p, o)
}

// keepProviderSession adds the session that a commit has saved to those of the provider's session,
// if it has one. If the provider's session has ended, it ends this one.
func (x *executor) keepProviderSession(ctx context.Context, p *commitPlan, o *outcome) error {
	login := p.delta.getLogin() != nil
	ended, err := x.joinProviderSession(ctx, &p.snap, &o.snap, login)
	switch {
	case ended:
		return x.endSaved(ctx, p, o, ReasonProvider)
	case err != nil && login:
		return x.undoLoginAndFail(ctx, p, o, err)
	}
	return nil // The next extension tries again.
}

// keepActor is called after a save or touch of a session in which somebody acts for its subject.
// It extends their own session too, because they are using it. If that has ended, it ends this
// one.
func (x *executor) keepActor(ctx context.Context, p *commitPlan, o *outcome) error {
	if o.snap.Actor() == (record.Actor{}) {
		return nil
	}
	own, err := x.ofActor(ctx, &o.snap)
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
	defer func() { _, _ = x.joinProviderSession(ctx, snap, &o.snap, false) }()
	if end := x.expiresAt(&snap.Times, now.UnixMilli()); x.canTouch(&p, end) {
		rec := snap.Record
		rec.Expires = timeOf(end)
		if err := x.touch(ctx, rec); !errors.Is(err, errors.ErrUnsupported) {
			o.snap = *snap
			o.snap.Record.Expires = rec.Expires
			return
		}
	}
	_, _ = x.attempt(ctx, &p, &o)
}

// undoLoginAndFail undoes a login whose commit fails with err: the client gets an error and no
// cookie, so it keeps its old secret.
func (x *executor) undoLoginAndFail(
	ctx context.Context, p *commitPlan, o *outcome, err error,
) error {
	if undoErr := x.undoLogin(ctx, p, o); errors.Is(undoErr, ErrNotFound) {
		return errors.Join(ErrGone, err, undoErr) // The session has ended, and the commit failed.
	}
	return err
}

// undoLogin restores what was stored before a login that no client has been told of. It has a
// timeout of its own, because the commit's may be what has failed.
func (x *executor) undoLogin(ctx context.Context, p *commitPlan, o *outcome) error {
	ctx, cancel := x.detached(ctx)
	defer cancel()
	saved := o.snap.Record
	*o = outcome{deleted: o.deleted, notOwned: o.notOwned}
	if p.kind == planCreate {
		return x.undoCreate(ctx, p, saved.Key)
	}
	if p.snap.SignedIn() && !p.delta.login.owns(&p.snap) {
		// While the session was not in the index under its former subject, all sessions of that
		// subject may have been revoked.
		return cmp.Or(x.delete(ctx, saved.Key), ErrNotFound)
	}
	restored := p.snap.Record
	restored.Version = saved.Version
	rec, err := x.save(ctx, &restored)
	if errors.Is(err, ErrConflict) {
		return ErrNotFound // No client has the secret, so the session was ended from outside.
	}
	if err != nil {
		return x.saveError(ctx, saved.Key, err)
	}
	p.snap.Record.Version, p.undone = rec.Version, true
	return nil
}

// undoCreate deletes a session that began with the login. The session gets another ticket,
// because a key that was deleted is not used again.
func (x *executor) undoCreate(ctx context.Context, p *commitPlan, key string) error {
	if err := x.delete(ctx, key); err != nil {
		return err
	}
	x.replaceTicket(p)
	p.undone = true
	return nil
}
