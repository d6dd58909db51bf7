package core

import (
	"context"
	"errors"
)

// execute makes the calls of the store that save what p says.
func (x *executor) execute(ctx context.Context, p *commitPlan, o *outcome) error {
	if p.err != nil || p.kind == planNone {
		return p.err
	}
	if p.rebaseNeeded {
		d, err := p.delta.reapply(&p.snap)
		if err != nil {
			o.updateFailed = true
			return err
		}
		p.delta = d
	}
	if !p.standing.opens() && p.kind == planReplace {
		if err := x.redirectLogin(p); err != nil {
			return err
		}
	}
	if p.kind == planTouch {
		return x.touchOrSave(ctx, p, o)
	}
	if err := x.saveChanges(ctx, p, o); err != nil {
		return err
	}
	return x.refuseRevoked(ctx, p, o)
}

func (x *executor) saveChanges(ctx context.Context, p *commitPlan, o *outcome) error {
	switch {
	case x.takesPlace(p):
		return x.saveWithinLimit(ctx, p, o)
	case p.kind == planCreate:
		return x.create(ctx, p, o)
	}
	return x.replace(ctx, p, o)
}

// deleteDestroyed deletes the session that Destroy has ended.
func (x *executor) deleteDestroyed(ctx context.Context, p *commitPlan, o *outcome) error {
	if p.toDelete == nil {
		return nil
	}
	err := x.endIfOwned(ctx, p.toDelete)
	o.notOwned = errors.Is(err, errOtherSecret) || errors.Is(err, errEnded)
	if err != nil && !o.notOwned {
		return err
	}
	for i := range p.toDelete.others {
		err := x.endIfOwned(ctx, &p.toDelete.others[i])
		if err != nil && !errors.Is(err, errOtherSecret) && !errors.Is(err, errEnded) {
			return err
		}
	}
	o.deleted = true
	return nil
}

// refuseRevoked ends the session of a login that was saved, if the sessions of its subject have
// been revoked since its proof began, as the revocation would have done. That ends the session of
// another login, too, which shares it: whose proof began when is not in the record.
func (x *executor) refuseRevoked(ctx context.Context, p *commitPlan, o *outcome) error {
	l := p.delta.getLogin()
	if l == nil || p.signedIn() {
		return nil
	}
	last, err := x.lastRevocation(ctx, l.subject)
	if err != nil {
		return x.undoLoginAndFail(ctx, p, o, err)
	}
	if !last.refuses(l, x.idOf(o.snap.Record.Key), p.arrival, x.revocations) {
		return nil
	}
	if p.kind == planCreate { // No response has carried its cookie.
		return x.undoLoginAndFail(ctx, p, o, errRevokedMeanwhile)
	}
	if err := x.end(ctx, &o.snap, ReasonRevokedAll); err != nil {
		return err
	}
	return errRevokedMeanwhile
}
