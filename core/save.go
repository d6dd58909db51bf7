package core

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// executor carries out commit plans. It makes all calls of the store for a commit, and knows no
// Session.
type executor struct {
	*records
	composer
	entropy     entropy
	maxSessions int // per subject; 0 for any number
	onLimit     LimitPolicy
	saveLocks   stripedMutexes // by session, for commits that met a conflict
	loginLocks  stripedMutexes // by subject, for logins if sessions are limited
}

const (
	// createAttempts limits how often an id that is taken is replaced. One collision is
	// improbable enough.
	createAttempts = 3
	// saveAttempts limits how often a save is repeated because other requests were faster.
	saveAttempts = 64
)

// create stores a new session. If its id is taken, it gets another: it never joins an existing
// session.
func (x *executor) create(ctx context.Context, p *commitPlan, o *outcome) error {
	for range createAttempts {
		if _, err := x.attempt(ctx, p, o); !errors.Is(err, ErrConflict) {
			return err
		}
		x.replaceTicket(p)
	}
	return x.storeFailure(ctx, "save", p.snap.Record.Key, ErrConflict)
}

var errNotCreated = errors.New("sessions: store did not create the record")

// replaceTicket gives the new session of p another ticket.
func (x *executor) replaceTicket(p *commitPlan) {
	p.ticket = x.entropy.newTicket(p.now)
	p.snap = record.Snapshot{Record: Record{Key: x.key(p.ticket.ID)}}
}

// replace saves changes to a stored session. After a conflict it merges them with what the
// other request has stored.
func (x *executor) replace(ctx context.Context, p *commitPlan, o *outcome) error {
	var current Record
	lock := x.saveLocks.at(p.ticket.ID[15])
	contended := lock.held() // An attempt would probably fail, or make the holder's fail.
	if !contended {
		var err error
		if current, err = x.attempt(ctx, p, o); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	waited, err := x.acquire(ctx, lock)
	if err != nil {
		return x.storeFailure(ctx, "save", p.snap.Record.Key, err)
	}
	defer lock.release()
	if waited || contended {
		current = Record{} // It is probably outdated.
	}
	return x.mergeAndSave(ctx, p, o, current)
}

// mergeAndSave merges and saves until the save meets no conflict. The caller holds the
// session's save lock.
func (x *executor) mergeAndSave(
	ctx context.Context, p *commitPlan, o *outcome, current Record,
) error {
	for n := range saveAttempts - 1 {
		if done, err := x.merge(ctx, p, o, current); done || err != nil {
			return err
		}
		var err error
		if current, err = x.attempt(ctx, p, o); !errors.Is(err, ErrConflict) {
			return err
		}
		if x.backOff(ctx, n) {
			current = Record{} // It is probably outdated.
		}
	}
	return x.storeFailure(ctx, "save", p.snap.Record.Key, ErrConflict)
}

// acquire waits for a lock. Locks are held for as long as calls of the store take. If those
// never wait, ctx is the request's own context, and its end must not lose the save.
func (x *executor) acquire(ctx context.Context, l mutex) (waited bool, err error) {
	if x.instant {
		ctx = context.WithoutCancel(ctx)
	}
	return l.acquire(ctx)
}

// attempt composes and saves the record once. After a conflict it returns the record that is
// stored now, if the store provides it.
func (x *executor) attempt(
	ctx context.Context, p *commitPlan, o *outcome,
) (current Record, err error) {
	undone := p.undone
	p.undone = false
	if err := x.compose(&p.verified, p.delta, &p.moment, &o.composed); err != nil {
		return Record{}, err
	}
	rec, err := x.save(ctx, &o.snap.Record)
	if errors.Is(err, ErrConflict) {
		o.composed, p.undone = composed{}, undone
		return rec, ErrConflict
	}
	if err != nil {
		err = x.attemptError(ctx, p, err)
		if rec, err = x.recheckAfterError(ctx, &o.composed, err); err != nil {
			return Record{}, err
		}
	}
	o.snap.Record.Version = rec.Version
	return rec, nil
}

// attemptError returns the error of an attempt. That a new record is not found must not look like
// a session that has ended.
func (x *executor) attemptError(ctx context.Context, p *commitPlan, err error) error {
	if p.kind == planCreate && errors.Is(err, ErrNotFound) {
		return x.storeFailure(ctx, "save", p.snap.Record.Key, errNotCreated)
	}
	return x.saveError(ctx, p.snap.Record.Key, err)
}

// recheckAfterError checks once whether a login whose save failed was stored after all, and
// returns the stored record if it was. A login that was stored unnoticed would take a place and
// lock the session, because no client has its secret.
func (x *executor) recheckAfterError(ctx context.Context, c *composed, err error) (Record, error) {
	if !c.login || !errors.Is(err, ErrStore) {
		return Record{}, err
	}
	ctx, cancel := x.detached(ctx)
	defer cancel()
	rec, loadErr := x.load(ctx, c.snap.Record.Key)
	if loadErr != nil {
		return Record{}, err
	}
	snap := record.Snapshot{Record: rec}
	if decodeErr := snap.Decode(); decodeErr != nil || snap.Digest() != c.snap.Digest() {
		return Record{}, err
	}
	return rec, nil
}

// merge moves the plan onto the record that is stored now, which it loads if current is zero.
// It reports true if there is nothing left to save; the outcome is then that record.
func (x *executor) merge(
	ctx context.Context, p *commitPlan, o *outcome, current Record,
) (done bool, err error) {
	key := p.snap.Record.Key
	if current.Version == 0 {
		if current, err = x.load(ctx, key); err != nil {
			return false, x.loadError(ctx, key, err)
		}
	}
	if current.Version == p.snap.Record.Version {
		return false, nil // No other request has saved.
	}
	current.Key = key
	var base verified
	if err = x.verifyRecord(ctx, &base, &current, &p.ticket); err != nil {
		if errors.Is(err, errReused) {
			// The secret was valid when this slow request began, so its use is no sign of
			// theft.
			err = x.emitRejection(ctx, &base.snap, EventRefused, errReused)
		}
		return false, err
	}
	d, err := p.delta.reapply(&base.snap)
	if err != nil {
		return false, err
	}
	p.delta = d
	if base.rotated {
		// Another request renewed the session first. This one takes the new cookie and does not
		// renew again.
		p.sendCookie = true
		if p.delta.secret == secretRenew {
			p.delta.secret = secretKeep
		}
	}
	p.verified, p.merged = base, true
	if p.delta.empty() && !x.touchDue(&base.snap.Times, p.now.UnixMilli()) {
		// The other request has done what this one was about to do.
		p.kind, o.composed = planNone, composed{snap: base.snap, ticket: base.ticket}
		return true, nil
	}
	return false, nil
}

// backOff waits for a random time before the next attempt, so that contenders in other
// processes get out of step. The wait shrinks with each attempt, so that older contenders win.
// It reports whether it waited.
func (x *executor) backOff(ctx context.Context, attempt int) (waited bool) {
	if x.instant || attempt < 2 {
		runtime.Gosched()
		return false
	}
	sleep(ctx, jitter(2*time.Millisecond>>min(attempt/4, 6)))
	return true
}

// touchOrSave extends a session in which nothing has changed, and its cookie: by a touch if
// possible, or else by a save.
func (x *executor) touchOrSave(ctx context.Context, p *commitPlan, o *outcome) error {
	rec := p.snap.Record
	end := x.expiresAt(&p.snap.Times, p.now.UnixMilli())
	if !x.canTouch(p, end) {
		return x.replace(ctx, p, o)
	}
	rec.Expires = timeOf(end)
	err := x.touch(ctx, rec)
	switch {
	case err == nil:
		o.snap, o.ticket = p.snap, p.ticket
		o.snap.Record.Expires = rec.Expires
		o.snap.Seen, o.snap.Extended = p.now.UnixMilli(), p.now.UnixMilli()
		o.sendCookie = x.persistent(&o.snap.Times)
		return nil
	case errors.Is(err, ErrConflict):
		if done, err := x.merge(ctx, p, o, Record{}); done || err != nil {
			return err
		}
		return x.replace(ctx, p, o)
	case errors.Is(err, errors.ErrUnsupported):
		return x.replace(ctx, p, o)
	}
	return x.saveError(ctx, rec.Key, err)
}

// canTouch reports whether a touch to the expiry end has the effect of a save. A touch changes
// nothing but the expiry, so it stands for a use only if the time of the use follows from the
// expiry, and if the record has nothing else to change: no retired secrets, and no other
// device.
func (x *executor) canTouch(p *commitPlan, end int64) bool {
	t := &p.snap.Times
	return x.toucher != nil && end != 0 && t.Idle == x.idleTimeout(t) &&
		end > p.snap.Record.Expires.UnixMilli() &&
		p.snap.Identity().History.Len() == 0 && !x.deviceChanged(&p.snap, p.device)
}
