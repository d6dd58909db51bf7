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
			return err
		}
		p.delta = d
	}
	if !p.standing.opens() && p.kind == planReplace {
		if err := x.redirectLogin(p); err != nil {
			return err
		}
	}
	switch {
	case p.kind == planTouch:
		if err := x.touchOrSave(ctx, p, o); err != nil {
			return err
		}
		return x.checkDependencies(ctx, p, o)
	case x.takesPlace(p):
		return x.saveWithinLimit(ctx, p, o)
	}
	return x.saveChanges(ctx, p, o)
}

// deleteDestroyed deletes the session that Destroy has ended.
func (x *executor) deleteDestroyed(ctx context.Context, p *commitPlan, o *outcome) error {
	if p.toDelete == nil {
		return nil
	}
	for i := range p.toDelete.others { // If one fails, the session is there to try again.
		err := x.endIfOwned(ctx, &p.toDelete.others[i])
		if err != nil && !errors.Is(err, errOtherSecret) && !errors.Is(err, errEnded) {
			return err
		}
	}
	err := x.endIfOwned(ctx, p.toDelete)
	o.notOwned = errors.Is(err, errOtherSecret) || errors.Is(err, errEnded)
	if err != nil && !o.notOwned {
		return err
	}
	o.deleted = true
	return nil
}
