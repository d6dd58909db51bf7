package core

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// What becomes of a login whose ticket another request of the browser has overtaken. It is not
// lost: the same subject joins the session that overtook it, and another one gets a session of
// its own.

// errRevokedMeanwhile refuses a login, because the session was revoked while it was under way.
var errRevokedMeanwhile = fmt.Errorf("%w: it was revoked while the subject signed in", ErrGone)

// redirectLogin changes the plan of a login whose ticket does not open the record in the plan. It
// returns the error of a login that is refused, and errOvertaken if there is no login.
func (x *executor) redirectLogin(p *commitPlan) error {
	l := p.delta.getLogin()
	switch {
	case l == nil || l.stepUp:
		return errOvertaken
	case p.standing == standingEnded && !p.late && revoked(p.reason()):
		return errRevokedMeanwhile
	case p.joins():
		// The updates have run without the values of the session that is joined.
		d, err := p.joinDelta(p.delta).reapply(&p.snap)
		if err != nil {
			return err
		}
		p.delta = d
		return nil
	}
	return x.planOwn(p)
}

// joins reports whether the login joins the session that has overtaken its ticket.
func (p *commitPlan) joins() bool {
	return (p.standing == standingOver || p.standing == standingSpent) &&
		p.delta.login.owns(&p.snap)
}

// joinDelta returns what the changes of a login are to a session that it joins.
func (p *commitPlan) joinDelta(d *delta) *delta {
	if !d.cleared || p.loaded == nil ||
		p.loaded.Subject() == "" || d.login.owns(p.loaded) {
		return d
	}
	out := *d
	out.cleared = false // What the handler has cleared is what the other subject had left.
	return &out
}

// revoked reports whether a session that ended for this reason was ended against its user.
func revoked(reason Reason) bool {
	return reason != ReasonSignedOut && reason != ReasonLimit
}

// planOwn makes the login start a session of its own, with what its request had loaded if that
// was anonymous. The id follows from the ticket and the subject, so that a second login from the
// same ticket finds it.
func (x *executor) planOwn(p *commitPlan) error {
	var base record.Snapshot
	if p.loaded != nil && p.loaded.Stored() && p.loaded.Subject() == "" {
		base = *p.loaded
	}
	p.changes = p.delta
	d, err := p.delta.onto(&base)
	if err != nil {
		return err
	}
	p.delta = d
	id := ownID(p.ticket, p.delta.login.subject)
	p.kind, p.derived = planCreate, true
	p.startOver(x.key(id), ticket.Ticket{ID: id, Secret: ticket.NewSecret()})
	return nil
}

// startOver makes the base of the plan a new session.
func (p *commitPlan) startOver(key string, t ticket.Ticket) {
	p.verified = verified{ticket: t, snap: record.Snapshot{Record: Record{Key: key}}}
}

// ownID returns the id of the session that a login of the subject starts if its ticket was
// overtaken by a login of another one. Nobody without the ticket can foresee it.
func ownID(t ticket.Ticket, subject string) uuid.UUID {
	mac := hmac.New(sha256.New, t.Secret[:])
	mac.Write([]byte("cloakroom own session v1"))
	mac.Write(t.ID[:])
	mac.Write([]byte(subject))
	id := uuid.UUID(mac.Sum(nil)[:16])
	setTimeV7(&id, t.ID[:6])
	return id
}

// joinOwn is called if the session that a login was to start is there already: another login of
// the same subject from the same ticket has started it, so this one joins it.
func (x *executor) joinOwn(ctx context.Context, p *commitPlan) (joined bool, err error) {
	rec, err := x.load(ctx, p.snap.Record.Key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, x.loadError(ctx, p.snap.Record.Key, err)
	}
	snap := record.Snapshot{Record: rec}
	if snap.Decode() != nil || snap.HasEnded() || !p.delta.login.owns(&snap) {
		return false, nil //nolint:nilerr // Such a record cannot be joined.
	}
	// What the request had loaded is there already, so only its own changes are made.
	d, err := p.joinDelta(p.changes).reapply(&snap)
	if err != nil {
		return false, err
	}
	p.verified, p.delta = verified{snap: snap, ticket: p.ticket, standing: standingOver}, d
	p.kind, p.derived, p.joining, p.merged = planReplace, false, true, true
	return true, nil
}
