package core

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// refusedAttempts limits how often a login that raced with others for the last place is tried
// again.
const refusedAttempts = 8

// takesPlace reports whether the plan is a login that takes a place where sessions are limited.
func (x *executor) takesPlace(p *commitPlan) bool {
	return x.maxSessions != 0 && p.delta.login != nil && p.delta.login.actor == (record.Actor{}) &&
		(x.onLimit != RefuseLogin || !p.signedIn())
}

// saveWithinLimit saves a login and keeps the limit of sessions per subject. Logins of one
// subject in this process wait for each other. Logins elsewhere are detected after the save at
// the latest, because the index includes every save that has returned.
func (x *executor) saveWithinLimit(ctx context.Context, p *commitPlan, o *outcome) error {
	key := x.subjectKey(p.delta.login.subject)
	if _, err := x.acquire(ctx, x.loginQueues, key); err != nil {
		return x.queueError(ctx, p, err)
	}
	defer x.loginQueues.release(key)
	if x.onLimit == RefuseLogin {
		return x.saveOrRefuse(ctx, p, o)
	}
	return x.saveAndEvict(ctx, p, o)
}

// saveAndEvict saves the login and ends the sessions beyond the limit. Processes in which a
// subject signs in at the same time rank the sessions alike, so they end the same ones.
func (x *executor) saveAndEvict(ctx context.Context, p *commitPlan, o *outcome) error {
	others, err := x.otherSessions(ctx, p, p.snap.Record.Key)
	if err != nil {
		return err
	}
	d, l := *p.delta, *p.delta.login // Copies, because handlers can read the originals.
	if !l.stated {                   // Otherwise evict ranks the login last.
		latest := p.now.Add(maxClockSkew).UnixMilli()
		for i := range others {
			// A login that follows another ranks after it, even if the clock of this process is
			// behind.
			l.at = max(l.at, x.rank(&others[i], latest)+1)
		}
	}
	d.login, p.delta = &l, &d
	if err := x.saveChanges(ctx, p, o); err != nil {
		return err
	}
	if err = x.evict(ctx, p, o); err != nil && !errors.Is(err, ErrNotFound) {
		return x.undoLoginAndFail(ctx, p, o, err)
	}
	return err
}

// maxEvictions is how many sessions one login ends. There are more beyond the limit only if it is
// new, or was raised and lowered.
const maxEvictions = 64

// runsOut reports whether so little of the commit's time is left that evict should stop.
func (x *executor) runsOut(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < x.timeout/2
}

// evict ends the sessions beyond the limit after a login. It returns ErrNotFound if the login's
// own session is one of them. If there are very many, it ends those that would be ended last, so
// that the limit holds for all logins from now on; later logins end the others.
func (x *executor) evict(ctx context.Context, p *commitPlan, o *outcome) error {
	all, err := x.counted(ctx, p.delta.login.subject)
	if err != nil || len(all) <= x.maxSessions {
		return err
	}
	latest := max(p.now.Add(maxClockSkew).UnixMilli(), p.delta.login.at+time.Second.Milliseconds())
	ended := false
	if p.delta.login.stated {
		rankLast(all, o.snap.Record.Key, latest)
	}
	beyond := x.ranked(all, latest)[:len(all)-x.maxSessions]
	for n, snap := range slices.Backward(beyond) {
		if done := len(beyond) - 1 - n; done == maxEvictions || done > 0 && x.runsOut(ctx) {
			break
		}
		x.emitLimitReached(ctx, p, snap)
		if err := x.end(ctx, snap, ReasonLimit); err != nil {
			return err
		}
		ended = ended || snap.Record.Key == o.snap.Record.Key
	}
	if ended {
		return ErrNotFound // Later logins of other processes have taken the places.
	}
	return nil
}

// rankLast makes the session with the key rank as if it had been signed in last, because the proof
// of its login may be an old one.
func rankLast(all []record.Snapshot, key string, latest int64) {
	for i := range all {
		if all[i].Record.Key == key {
			all[i].Authenticated = latest
		}
	}
}

// ranked returns the sessions in the order in which they are ended.
func (x *executor) ranked(snaps []record.Snapshot, latest int64) []*record.Snapshot {
	order := make([]*record.Snapshot, len(snaps))
	for i := range snaps {
		order[i] = &snaps[i]
	}
	slices.SortFunc(order, func(a, b *record.Snapshot) int {
		return cmp.Or(
			cmp.Compare(x.rank(a, latest), x.rank(b, latest)),
			strings.Compare(a.Record.Key, b.Record.Key),
		)
	})
	return order
}

// rank orders sessions for eviction, the lowest first: by their login, or by their last use,
// which a login is too. A time after latest cannot be right, so it ranks before all others.
func (x *executor) rank(snap *record.Snapshot, latest int64) int64 {
	at := snap.Authenticated
	if x.onLimit == EvictIdle {
		at = max(snap.Seen, at)
	}
	if at > latest {
		return 0
	}
	return at
}

// saveOrRefuse saves the login if there is a place for it. If several processes find that
// together they have taken too many places, they undo their logins and try again one after the
// other.
func (x *executor) saveOrRefuse(ctx context.Context, p *commitPlan, o *outcome) error {
	for n := range refusedAttempts {
		start := time.Now()
		others, err := x.otherSessions(ctx, p, p.snap.Record.Key)
		if err != nil {
			return err
		}
		if len(others) >= x.maxSessions {
			break
		}
		if err := x.saveChanges(ctx, p, o); err != nil {
			return err
		}
		if others, err = x.otherSessions(ctx, p, o.snap.Record.Key); err != nil {
			return x.undoLoginAndFail(ctx, p, o, err)
		}
		if len(others) < x.maxSessions {
			return nil
		}
		if err := x.undoLogin(ctx, p, o); err != nil {
			return err
		}
		// The wait grows with the store's latency, so that one process finishes before the next
		// begins.
		sleep(ctx, jitter(time.Since(start)<<min(n, 4)))
	}
	x.emitLimitReached(ctx, p, &p.snap)
	return ErrLimit
}

// otherSessions returns the sessions of the subject that signs in, except for the one with the
// key.
func (x *executor) otherSessions(
	ctx context.Context, p *commitPlan, key string,
) ([]record.Snapshot, error) {
	all, err := x.counted(ctx, p.delta.login.subject)
	hasKey := func(s record.Snapshot) bool { return s.Record.Key == key }
	return slices.DeleteFunc(all, hasKey), err
}

// counted returns the sessions of a subject that count for the limit: those of nobody who acts for
// them.
func (x *executor) counted(ctx context.Context, subject string) ([]record.Snapshot, error) {
	all, err := x.ofSubject(ctx, subject)
	return slices.DeleteFunc(all, func(s record.Snapshot) bool {
		return s.Actor() != (record.Actor{})
	}), err
}

// emitLimitReached emits that the subject has as many sessions as allowed. The event is about
// the session that this ends or refuses.
func (x *executor) emitLimitReached(ctx context.Context, p *commitPlan, snap *record.Snapshot) {
	x.emit(Event{
		Kind: EventLimitReached, SessionID: x.idOf(snap.Record.Key),
		Subject: p.delta.login.subject, Context: ctx,
	})
}
