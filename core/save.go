package core

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"time"
)

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
		if p.derived {
			joined, err := x.joinOwn(ctx, p)
			if err != nil {
				return err
			}
			if joined {
				return x.replace(ctx, p, o)
			}
		}
		x.replaceTicket(p)
	}
	return x.storeFailure(ctx, "save", p.snap.Record.Key, ErrConflict)
}

var errNotCreated = errors.New("sessions: store did not create the record")

// replaceTicket gives the new session of p another ticket.
func (x *executor) replaceTicket(p *commitPlan) {
	t := x.entropy.newTicket(p.now)
	p.startOver(x.key(t.ID), t)
	p.derived = false
}

// replace saves changes to a stored session. After a conflict it merges them with what the
// other request has stored. A login whose session has gone to another subject, or has ended,
// starts another.
func (x *executor) replace(ctx context.Context, p *commitPlan, o *outcome) error {
	err := x.saveOrMerge(ctx, p, o)
	if errors.Is(err, errStartsOwn) {
		return x.create(ctx, p, o) // It may join a session, whose lock may be the same.
	}
	return err
}

// errStartsOwn says that the plan has become one that creates a session.
var errStartsOwn = errors.New("sessions: the login starts a session of its own")

// saveOrMerge is replace for one session, whose mutex it holds after a conflict.
func (x *executor) saveOrMerge(ctx context.Context, p *commitPlan, o *outcome) error {
	var current Record
	key := p.snap.Record.Key
	contended := x.saveQueues.held(key) // An attempt would probably fail, or the holder's would.
	if !contended {
		var err error
		if current, err = x.attempt(ctx, p, o); !errors.Is(err, ErrConflict) {
			return x.replaceError(p, o, err)
		}
	}
	waited, err := x.acquire(ctx, x.saveQueues, key)
	if err != nil {
		return x.queueError(ctx, p, err)
	}
	defer x.saveQueues.release(key)
	if waited || contended {
		current = Record{} // It is probably outdated.
	}
	return x.mergeAndSave(ctx, p, o, current)
}

// mergeAndSave merges and saves until the save meets no conflict. The caller holds the
// session's mutex.
func (x *executor) mergeAndSave(
	ctx context.Context, p *commitPlan, o *outcome, current Record,
) error {
	for n := range saveAttempts - 1 {
		if done, err := x.merge(ctx, p, o, current); done || err != nil {
			return err
		}
		if p.kind == planCreate { // a login whose session has gone to another subject
			return errStartsOwn
		}
		var err error
		if current, err = x.attempt(ctx, p, o); !errors.Is(err, ErrConflict) {
			return x.replaceError(p, o, err)
		}
		if x.backOff(ctx, n) {
			current = Record{} // It is probably outdated.
		}
	}
	return x.storeFailure(ctx, "save", p.snap.Record.Key, ErrConflict)
}

// replaceError returns the error of a save, which is nil if it succeeded. It is errStartsOwn if
// the plan is a login to a session whose record is gone.
func (x *executor) replaceError(p *commitPlan, o *outcome, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := x.planOvertaken(p, o, &verified{ticket: p.ticket}, err); err != nil {
		return err
	}
	return errStartsOwn
}

// acquire waits for the mutex of the key. Mutexes are held for as long as calls of the store take.
// If those never wait, ctx is the request's own context, and its end must not lose the save.
func (x *executor) acquire(ctx context.Context, q *queues, key string) (waited bool, err error) {
	if x.instant {
		ctx = context.WithoutCancel(ctx)
	}
	return q.acquire(ctx, key)
}

// queueError returns the error of acquire for a commit. That the clients of one session overfill
// its queue is no failure of the store to report.
func (x *executor) queueError(ctx context.Context, p *commitPlan, err error) error {
	if errors.Is(err, errCrowded) {
		return wrapStoreError("save", err)
	}
	return x.storeFailure(ctx, "save", p.snap.Record.Key, err)
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
	if err != nil && !errors.Is(err, ErrConflict) {
		rec, err = x.lookAfterError(ctx, p, o, x.attemptError(ctx, p, err))
	}
	switch {
	case errors.Is(err, ErrConflict) && !errors.Is(err, ErrStore):
		o.composed, p.undone = composed{}, undone
		return rec, ErrConflict
	case err != nil:
		return Record{}, err
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

// lookAfterError finds out what has become of a save that failed with err. The store may have
// carried it out all the same, if only its reply was lost: the secret would then be one that no
// client has, and an update that is made again would count twice. If the record is as it was,
// lookAfterError saves once more. It returns ErrConflict, with the record that is stored, if the
// changes can be merged with another request's.
func (x *executor) lookAfterError(
	ctx context.Context, p *commitPlan, o *outcome, err error,
) (Record, error) {
	if !errors.Is(err, ErrStore) || p.kind == planTouch {
		return Record{}, err
	}
	if p.kind == planCreate || p.delta.secret != secretKeep {
		// Nobody would have the secret of a save that was carried out unnoticed.
		var cancel context.CancelFunc
		ctx, cancel = x.detached(ctx)
		defer cancel()
	}
	rec, loadErr := x.load(ctx, o.snap.Record.Key)
	switch {
	case errors.Is(loadErr, ErrNotFound): // It was not created, or it has been ended.
		return Record{}, err
	case loadErr != nil:
		p.uncertain = true
		return Record{}, err
	case bytes.Equal(rec.Data, o.snap.Record.Data):
		return rec, nil
	case p.kind == planCreate:
		return Record{}, err
	case rec.Version == p.snap.Record.Version:
		return x.saveAgain(ctx, p, o, err)
	case p.delta.hasUpdates() || p.delta.secret == secretRenew:
		p.uncertain = true // Another request may have saved after this one.
		return Record{}, err
	}
	return rec, ErrConflict
}

// saveAgain repeats a save that was not carried out.
func (x *executor) saveAgain(
	ctx context.Context, p *commitPlan, o *outcome, err error,
) (Record, error) {
	rec, again := x.save(ctx, &o.snap.Record)
	switch {
	case again == nil:
		return rec, nil
	case errors.Is(again, ErrConflict):
		return Record{}, ErrConflict
	}
	p.uncertain = true
	return Record{}, err
}

// merge moves the plan onto the record that is stored now, which it loads if current is zero.
// It reports true if there is nothing left to save; the outcome is then that record.
func (x *executor) merge(
	ctx context.Context, p *commitPlan, o *outcome, current Record,
) (done bool, err error) {
	key := p.snap.Record.Key
	base := verified{ticket: p.ticket}
	if current.Version == 0 {
		current, err = x.load(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			return false, x.planOvertaken(p, o, &base, ErrNotFound)
		case err != nil:
			return false, x.loadError(ctx, key, err)
		}
	}
	if current.Version == p.snap.Record.Version {
		return false, nil // No other request has saved.
	}
	current.Key = key
	err = x.verifyRecord(ctx, &base, &current, &p.ticket)
	switch {
	case p.joining && base.standing == standingUnknown && len(base.snap.Record.Data) != 0 &&
		!base.snap.HasEnded() && p.delta.login.owns(&base.snap):
		base.standing = standingOver
	case errors.Is(err, errReused):
		// The secret was valid when this slow request began, so its use is no sign of theft.
		return false, x.emitRejection(ctx, &base.snap, EventRefused, errReused)
	case errors.Is(err, ErrNotFound):
		base.ticket = p.ticket
		if err = x.planOvertaken(p, o, &base, err); err != nil || p.kind == planCreate {
			return false, err
		}
	case err != nil:
		return false, err
	}
	return x.rebase(p, o, &base)
}

// planOvertaken changes the plan because its ticket no longer opens the session. It returns err
// unless the plan is a login, which goes on.
func (x *executor) planOvertaken(p *commitPlan, o *outcome, base *verified, err error) error {
	if base.standing.overtaken() {
		o.overtaker = new(*base)
	}
	if l := p.delta.getLogin(); l == nil || l.stepUp {
		return err
	}
	p.verified = *base
	return x.redirectLogin(p)
}

// rebase replaces the base of the plan. It reports true if there is nothing left to save.
func (x *executor) rebase(p *commitPlan, o *outcome, base *verified) (done bool, err error) {
	d, err := p.delta.reapply(&base.snap)
	if err != nil {
		return false, err
	}
	p.delta = d
	base.keepUnpresented(&p.verified)
	if base.standing == standingRetired {
		// Another request renewed the session first. This one takes the new cookie.
		p.sendCookie = true
	}
	if p.delta.secret == secretRenew && !base.standing.mayRenew() {
		p.delta.secret = secretKeep
	}
	p.verified, p.merged = *base, true
	if p.delta.empty() && !p.keepAlive && !base.undelivered() &&
		!x.touchDue(&base.snap.Times, p.now.UnixMilli()) {
		// The other request has done what this one was about to do.
		p.kind, o.composed = planNone, composed{
			snap: base.snap, ticket: base.ticket, standing: base.standing,
		}
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
		o.snap, o.ticket, o.standing = p.snap, p.ticket, p.standing
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
	return x.toucher != nil && end != 0 && !p.headersSent && t.Idle == x.idleTimeout(t) &&
		end > p.snap.Record.Expires.UnixMilli() &&
		!p.snap.HasPast() && !x.deviceChanged(&p.snap, p.device)
}
