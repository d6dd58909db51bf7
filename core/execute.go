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
	switch {
	case p.kind == planTouch:
		return x.touchOrSave(ctx, p, o)
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
	err := x.deleteIfOwned(ctx, p.toDelete)
	o.notOwned = errors.Is(err, errOtherSecret)
	o.deleted = err == nil || o.notOwned
	if o.deleted {
		return nil
	}
	return err
}
