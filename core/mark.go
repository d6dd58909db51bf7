package core

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// A mark stands in place of the record of a session that has ended, for as long as requests that
// were sent with one of its secrets may still be under way. It has no subject and no data. It
// tells those requests from strangers, so that none of them starts a new session whose cookie
// replaces the browser's.

// markAttempts limits how often a mark is saved again because other requests saved the session
// first. After that, the record is deleted instead.
const markAttempts = 16

// end ends a session from outside and reports the reason.
func (r *records) end(ctx context.Context, snap *record.Snapshot, reason Reason) error {
	e := r.eventAbout(ctx, EventRevoked, snap)
	if err := r.mark(ctx, *snap, reason, nil); err != nil {
		return err
	}
	e.Reason = reason
	r.emit(e)
	return nil
}

// endIfOwned ends a session for a request that has called [Session.Destroy]. It leaves the session
// alone if another identity has signed in since: the ticket of the request must not sign that one
// out.
func (r *records) endIfOwned(ctx context.Context, ref *sessionRef) error {
	rec, err := r.load(ctx, ref.key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return r.storeFailure(ctx, "delete", ref.key, err)
	}
	snap := record.Snapshot{Record: rec}
	return r.mark(ctx, snap, ReasonSignedOut, ref)
}

// errEnded says that another request has ended the session before this one.
var errEnded = errors.New("sessions: session has ended before")

// mark replaces a record by a mark. It deletes the record if it cannot be marked: if it is
// damaged, for instance. If ref is not nil, its ticket must be one that may end the session, and
// that must not have ended yet.
func (r *records) mark(
	ctx context.Context, snap record.Snapshot, reason Reason, ref *sessionRef,
) error {
	var m Record
	var first record.Snapshot
	for n := range markAttempts {
		deleteIt, err := r.mayMark(ctx, &snap, ref)
		if err != nil {
			return err
		}
		if snap.HasEnded() {
			return r.alreadyEnded(bytes.Equal(snap.Record.Data, m.Data), ref)
		}
		if deleteIt {
			break
		}
		if n == 0 {
			first = snap
		}
		if tookOver(&first, &snap, reason) {
			return nil
		}
		m = markOf(&snap, reason, time.Now().Add(r.grace).Add(rememberedFor))
		_, err = r.save(ctx, &m)
		switch {
		case err == nil:
			r.leaveProviderSession(ctx, &snap)
			return r.alreadyEnded(true, ref)
		case errors.Is(err, ErrNotFound):
			return nil
		case errors.Is(err, ErrTooLarge), errors.Is(err, ErrFull):
			return r.delete(ctx, m.Key)
		}
		if snap, err = r.lookAfterMark(ctx, &m, err); err != nil {
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		}
	}
	return r.delete(ctx, snap.Record.Key)
}

// tookOver reports whether another login has ended the session that was to be ended for the
// reason, and has taken its place.
func tookOver(before, now *record.Snapshot, reason Reason) bool {
	was, is := before.Extensions(), now.Extensions()
	switch reason { //nolint:exhaustive // All others end it, whoever it belongs to.
	case ReasonRevokedAll:
		return now.Subject() != before.Subject()
	case ReasonProvider:
		return is.ProviderSession() != was.ProviderSession()
	case ReasonActor:
		return is.Actor() != was.Actor()
	}
	return false
}

// lookAfterMark returns what is stored after a mark could not be saved: another request has saved
// the session, or the reply was lost. It returns an error if the store failed.
func (r *records) lookAfterMark(
	ctx context.Context, m *Record, saveErr error,
) (record.Snapshot, error) {
	rec, err := r.load(ctx, m.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return record.Snapshot{}, ErrNotFound
	case !errors.Is(saveErr, ErrConflict) && (err != nil || !bytes.Equal(rec.Data, m.Data)):
		return record.Snapshot{}, r.saveError(ctx, m.Key, saveErr)
	case err != nil:
		return record.Snapshot{}, r.loadError(ctx, m.Key, err)
	}
	return record.Snapshot{Record: rec}, nil
}

// alreadyEnded returns errEnded if the session of ref has been ended by somebody else. If it has
// been ended for ref, it notes that, because the commit may have to try again.
func (*records) alreadyEnded(now bool, ref *sessionRef) error {
	switch {
	case ref == nil:
		return nil
	case now:
		ref.ended = true
	case !ref.ended:
		return errEnded
	}
	return nil
}

// mayMark decodes the record. It reports true if the record has to be deleted, because no mark
// can be made of it or because no request can be under way with its ticket.
func (r *records) mayMark(
	ctx context.Context, snap *record.Snapshot, ref *sessionRef,
) (deleteIt bool, err error) {
	switch err := snap.Decode(); {
	case err == nil:
	case ref != nil && errors.Is(err, record.ErrFormat):
		// Whether the ticket may end the session cannot be told.
		return false, r.storeFailure(ctx, "delete", snap.Record.Key, err)
	default:
		return true, nil
	}
	if ref == nil || snap.HasEnded() {
		return false, nil
	}
	if !ref.mayEnd(snap, time.Now(), r.grace) {
		return false, errOtherSecret
	}
	return ref.unsent, nil
}

// rememberedFor is how long a secret is remembered after its time.
const rememberedFor = ticket.Remembered * time.Millisecond

// markOf returns the mark of a session, which the store keeps until expires.
func markOf(snap *record.Snapshot, reason Reason, expires time.Time) Record {
	h := snap.Header()
	h.Subject, h.Account, h.Authenticated, h.Ended = nil, nil, 0, []byte(reason)
	h.Extensions = h.Extensions.OfMark()
	m := record.Snapshot{Record: snap.Record}
	m.Record.Subject, m.Record.Expires = "", expires
	m.Encode(&h, nil)
	return m.Record
}

// handleReuse reports a secret that was replaced long ago: two parties have it, and one of them
// is not the user. If the options say so, it ends the session.
func (r *records) handleReuse(ctx context.Context, snap *record.Snapshot) error {
	e := r.eventAbout(ctx, EventReused, snap)
	e.Err = errReused
	r.report(slog.LevelWarn, e)
	if !r.revokeOnReuse {
		return nil
	}
	ctx, cancel := r.detached(ctx) // A thief who disconnects must not prevent it.
	defer cancel()
	return r.end(ctx, snap, ReasonReuse)
}
