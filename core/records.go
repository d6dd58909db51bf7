package core

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// records finds, verifies and ends stored sessions.
type records struct {
	*backend
	verifier
	revokeOnReuse bool
	revocations   *revocationCount
}

// open loads the session of a ticket into v. If the ticket opens none, it returns ErrNotFound, or
// errReused or errOvertaken if its secret was replaced.
func (r *records) open(ctx context.Context, v *verified, t *ticket.Ticket) error {
	if r.memory != nil {
		return r.openFromMemory(ctx, v, t)
	}
	err := r.reopen(ctx, v, t)
	if err == nil {
		r.emitAbout(ctx, EventLoaded, &v.snap)
	}
	return err
}

// reopen is open for a request that has opened the session before, so it is no use of it.
func (r *records) reopen(ctx context.Context, v *verified, t *ticket.Ticket) error {
	key := r.key(t.ID)
	rec, err := r.load(ctx, key)
	if err != nil {
		return r.loadError(ctx, key, err)
	}
	return r.verifyRecord(ctx, v, &rec, t)
}

// openFromMemory is open for the memory store. It looks at the clock once, and it needs no key,
// which would have to be allocated.
func (r *records) openFromMemory(ctx context.Context, v *verified, t *ticket.Ticket) error {
	now := time.Now()
	if err := r.loadFromMemory(ctx, &t.ID, now, &v.snap.Record); err != nil {
		return err
	}
	if err := r.verify(v, t, now); err != nil {
		v.snap.Record.Key = r.key(t.ID)
		return r.reject(ctx, &v.snap, err)
	}
	r.counters.addByte(EventLoaded, t.ID[len(t.ID)-1])
	return nil
}

// verifyRecord sets v to a record that the ticket opens. Otherwise it reports the reason and
// returns the error of reject.
func (r *records) verifyRecord(
	ctx context.Context, v *verified, rec *Record, t *ticket.Ticket,
) error {
	v.snap.Record = *rec
	if err := r.verify(v, t, time.Now()); err != nil {
		return r.reject(ctx, &v.snap, err)
	}
	return nil
}

// reject reports why verify refused a ticket. It returns ErrNotFound, because to the client there
// is no such session. The errors errReused and errOvertaken are returned as they are, for the
// caller to handle, and a record of a later release is a failure of the store.
func (r *records) reject(ctx context.Context, snap *record.Snapshot, reason error) error {
	switch {
	case errors.Is(reason, errReused), errors.Is(reason, errOvertaken):
		return reason
	case errors.Is(reason, record.ErrFormat):
		// A later release has written it, so the session lives, though not here.
		return r.storeFailure(ctx, "load", snap.Record.Key, reason)
	case errors.Is(reason, errOtherCookie), errors.Is(reason, errOtherSecret):
		return r.emitRejection(ctx, snap, EventRefused, reason)
	case errors.Is(reason, errExpired):
		// The policy is shorter than the one that the record was saved under. A failed deletion
		// does no harm.
		_ = r.delete(ctx, snap.Record.Key)
		return r.emitRejection(ctx, snap, EventExpired, reason)
	}
	r.reportUndecodable(ctx, snap, reason)
	return ErrNotFound
}

// emitRejection emits why a ticket does not open its session and returns ErrNotFound.
func (r *records) emitRejection(
	ctx context.Context, snap *record.Snapshot, kind EventKind, reason error,
) error {
	e := r.eventAbout(ctx, kind, snap)
	e.Err = reason
	r.emit(e)
	return ErrNotFound
}

func (r *records) reportUndecodable(ctx context.Context, snap *record.Snapshot, err error) {
	r.report(slog.LevelWarn, Event{
		Kind: EventUndecodable, SessionID: r.idOf(snap.Record.Key), Err: err, Context: ctx,
	})
}

// byID loads a session by its public id.
func (r *records) byID(ctx context.Context, id string) (record.Snapshot, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.String() != id {
		return record.Snapshot{}, ErrNotFound
	}
	return r.byKey(ctx, r.key(u))
}

// byKey loads a session by its key.
func (r *records) byKey(ctx context.Context, key string) (record.Snapshot, error) {
	rec, err := r.load(ctx, key)
	if err != nil {
		return record.Snapshot{}, r.loadError(ctx, rec.Key, err)
	}
	snap := record.Snapshot{Record: rec}
	switch status, err := r.classify(&snap, time.Now()); {
	case errors.Is(err, record.ErrFormat):
		return record.Snapshot{}, r.storeFailure(ctx, "load", rec.Key, err)
	case err != nil:
		r.reportUndecodable(ctx, &snap, err)
		return record.Snapshot{}, ErrNotFound
	case status != recordLive:
		return record.Snapshot{}, ErrNotFound
	}
	return snap, nil
}

// ofSubject returns the live sessions of a subject.
func (r *records) ofSubject(ctx context.Context, subject string) ([]record.Snapshot, error) {
	recs, err := r.bySubject(ctx, subject)
	return slices.DeleteFunc(r.live(ctx, recs), func(s record.Snapshot) bool {
		return s.Subject() != subject
	}), err
}

// live returns the live sessions among records from a list.
func (r *records) live(ctx context.Context, recs []Record) []record.Snapshot {
	now := time.Now()
	snaps := make([]record.Snapshot, 0, len(recs))
	for i := range recs {
		snap := record.Snapshot{Record: recs[i]}
		if r.inspect(ctx, &snap, now) == recordLive {
			snaps = append(snaps, snap)
		}
	}
	return snaps
}

// inspect decodes a record from a list and returns its status. It reports a record that cannot
// be decoded.
func (r *records) inspect(ctx context.Context, snap *record.Snapshot, now time.Time) recordStatus {
	status, err := r.classify(snap, now)
	if err != nil {
		r.reportUndecodable(ctx, snap, err)
	}
	return status
}
