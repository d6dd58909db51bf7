package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/record"
)

// revoker ends many sessions, one after the other. It goes on after a failure, so that one record
// that cannot be ended does not save the others.
type revoker struct {
	m        *Manager
	reason   Reason
	subject  string   // whose sessions end; "" for everybody's
	provider string   // the session of an identity provider that they belong to, or ""
	except   []string // the ids of the sessions that are spared
	erase    bool     // no mark of a session is left

	ended    int
	errs     []error       // the first failures
	failures int           // how many there were
	lost     time.Duration // how long the failures took
}

const (
	// maxNamedFailures is how many failures the error of a revoker names.
	maxNamedFailures = 8
	// maxLostTimeouts is after how many timeouts of the store a revoker gives up, because
	// the store is down.
	maxLostTimeouts = 10
	// revokePage is how many keys of a subject are loaded at once.
	revokePage = 500
)

var errGivenUp = errors.New("sessions: the store fails too often, some sessions may be left")

// note notes an error, if err is one.
func (r *revoker) note(err error) {
	if err == nil {
		return
	}
	if r.failures++; len(r.errs) < maxNamedFailures {
		r.errs = append(r.errs, err)
	}
}

// err returns what has failed, or nil.
func (r *revoker) err() error {
	errs := slices.Clone(r.errs)
	if more := r.failures - len(errs); more > 0 {
		errs = append(errs, fmt.Errorf("sessions: %d more failures", more))
	}
	if r.gaveUp() {
		errs = append(errs, errGivenUp)
	}
	return errors.Join(errs...)
}

// gaveUp reports whether the failures have taken so long that there is no point in going on.
func (r *revoker) gaveUp() bool {
	return r.lost >= maxLostTimeouts*r.m.records.timeout
}

// endSubject ends the sessions of the subject, in pages if the store can walk their keys.
func (r *revoker) endSubject(ctx context.Context) error {
	err := errors.ErrUnsupported
	if r.m.records.pager != nil {
		err = r.walk(func(cursor string) (string, error) {
			return r.endPage(ctx, cursor)
		})
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return r.endAllAtOnce(ctx)
	}
	return err
}

func (r *revoker) endPage(ctx context.Context, cursor string) (next string, err error) {
	pageCtx, cancel := r.m.records.detached(ctx)
	defer cancel()
	keys, next, err := r.m.records.subjectKeys(pageCtx, r.subject, cursor, revokePage)
	for i := range keys {
		r.try(func() error { return r.endKey(ctx, keys[i]) })
	}
	return next, err
}

func (r *revoker) endAllAtOnce(ctx context.Context) error {
	listCtx, cancel := r.m.records.detached(ctx)
	defer cancel()
	recs, err := r.m.records.bySubject(listCtx, r.subject)
	r.endRecords(ctx, recs)
	return err
}

// walk calls page with the cursor of each page, until there is none or the revoker gives up.
func (r *revoker) walk(page func(cursor string) (next string, err error)) error {
	for cursor := ""; ; {
		next, err := page(cursor)
		if err != nil || next == "" || r.gaveUp() {
			return err
		}
		cursor = next
	}
}

// endRecords ends the sessions of records from a list.
func (r *revoker) endRecords(ctx context.Context, recs []Record) {
	for i := range recs {
		r.try(func() error { return r.endRecord(ctx, &recs[i]) })
	}
}

// try ends one session by end, unless the revoker has given up.
func (r *revoker) try(end func() error) {
	if r.gaveUp() {
		return
	}
	start := time.Now()
	if err := end(); err != nil {
		r.lost += time.Since(start)
		r.note(err)
	}
}

// endKey ends the session under a key, with a timeout of its own.
func (r *revoker) endKey(ctx context.Context, key string) error {
	loadCtx, cancel := r.m.records.detached(ctx)
	defer cancel()
	rec, err := r.m.records.load(loadCtx, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return r.m.records.loadError(loadCtx, key, err)
	}
	return r.endRecord(ctx, &rec)
}

// endRecord ends the session of a record, with a timeout of its own, unless it is spared. A record
// that has expired by the policy of this process, or that it cannot decode, may be a live session
// to a process of another release: it is deleted too, and not counted.
func (r *revoker) endRecord(ctx context.Context, rec *Record) error {
	records := &r.m.records
	snap := record.Snapshot{Record: *rec}
	status := records.inspect(ctx, &snap, time.Now())
	if status == recordMark && r.erase {
		return r.disown(ctx, rec)
	}
	if status <= recordMark || slices.Contains(r.except, records.idOf(snap.Record.Key)) {
		return nil
	}
	if status == recordLive && !r.concerns(&snap) {
		return nil // Another subject has signed in since the session was named.
	}
	ctx, cancel := records.detached(ctx)
	defer cancel()
	if status != recordLive {
		return records.delete(ctx, snap.Record.Key)
	}
	err := r.endLive(ctx, &snap)
	if err == nil {
		r.ended++
	}
	return err
}

// disown removes the subject of a record that names sessions of an identity provider's session,
// among which may be those of others.
func (r *revoker) disown(ctx context.Context, rec *Record) error {
	records := &r.m.records
	ctx, cancel := records.detached(ctx)
	defer cancel()
	_, err := records.changeProviderNote(ctx, rec.Key, func(n *providerNote) bool {
		n.rec.Subject = ""
		return n.rec.Version != 0
	})
	return err
}

// concerns reports whether a session is one of those that end.
func (r *revoker) concerns(snap *record.Snapshot) bool {
	return (r.subject == "" || snap.Subject() == r.subject) &&
		(r.provider == "" || snap.Extensions().ProviderSession() == r.provider)
}

// endLive ends a session, unless another subject signs in with it meanwhile.
func (r *revoker) endLive(ctx context.Context, snap *record.Snapshot) error {
	records := &r.m.records
	if err := records.end(ctx, snap, r.reason); err != nil || !r.erase {
		return err
	}
	key := snap.Record.Key
	rec, err := records.load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return records.loadError(ctx, key, err)
	}
	mark := record.Snapshot{Record: rec}
	if mark.Decode() == nil && mark.HasEnded() {
		return records.delete(ctx, key)
	}
	return nil
}
