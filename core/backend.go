package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/cloakroom-go/sessions/core/internal/uuidtext"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// backend makes every call of the store and measures it. Its withTimeout and detached bound the
// calls; its loadError, saveError and listError report and wrap their errors.
type backend struct {
	*observer
	store   Store
	toucher Toucher         // nil if a touch has to save the record
	indexer Indexer         // nil if the store cannot list the sessions of a subject
	pager   SubjectPager    // nil if it cannot list their keys in pages
	lister  Lister          // nil if the store cannot list all sessions
	counter Counter         // nil if sessions are counted by listing them
	memory  *memstore.Store // the store, if it is a memstore and there is no hook
	instant bool            // the store's calls never wait, so they need no timeout
	timeout time.Duration
	measure bool // each call emits an EventStoreCalled
}

func newBackend(s Store, o *observer, timeout time.Duration, measure bool) backend {
	b := backend{observer: o, store: s, timeout: timeout, measure: measure}
	b.toucher, _ = s.(Toucher)
	b.indexer, _ = s.(Indexer)
	b.pager, _ = s.(SubjectPager)
	b.lister, _ = s.(Lister)
	b.counter, _ = s.(Counter)
	_, b.instant = s.(store.Instant)
	if o.hook == nil {
		// A store that wraps a memstore may have a Load of its own, so only the type itself
		// will do.
		b.memory, _ = s.(*memstore.Store)
	}
	return b
}

// withTimeout returns a context for calls of the store on behalf of a request.
func (b *backend) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, b.timeout)
}

// detached returns a context for calls that must be made even if the client has disconnected.
// It has the values of ctx, but not its cancellation. For an instant store it is ctx itself,
// because such a store ignores cancellation.
func (b *backend) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	if b.instant {
		return ctx, func() {}
	}
	return context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
}

// load returns the error of the store unwrapped; pass it to loadError.
func (b *backend) load(ctx context.Context, key string) (Record, error) {
	start := b.startCall()
	rec, err := b.store.Load(ctx, key)
	rec.Key = key
	b.endCall(ctx, start, "load", key, err)
	return rec, err
}

// loadFromMemory is load for the memory store. It takes the id, because the key would have to
// be allocated.
func (b *backend) loadFromMemory(
	ctx context.Context, id *uuid.UUID, now time.Time, rec *Record,
) error {
	if err := b.memory.LoadAt(b.prefix, (*uuidtext.ID)(id), now, rec); err != nil {
		return b.loadError(ctx, b.key(*id), err)
	}
	return nil
}

// save returns the record with its new version, or the error of the store unwrapped; pass it to
// saveError.
func (b *backend) save(ctx context.Context, rec *Record) (Record, error) {
	start := b.startCall()
	saved, err := b.store.Save(ctx, *rec)
	b.endCall(ctx, start, "save", rec.Key, err)
	return saved, err
}

func (b *backend) delete(ctx context.Context, key string) error {
	start := b.startCall()
	err := b.store.Delete(ctx, key)
	b.endCall(ctx, start, "delete", key, err)
	if err != nil {
		return b.storeFailure(ctx, "delete", key, err)
	}
	return nil
}

// touch returns the error of the store unwrapped; pass it to saveError.
func (b *backend) touch(ctx context.Context, rec Record) error {
	start := b.startCall()
	err := b.toucher.Touch(ctx, rec)
	b.endCall(ctx, start, "touch", rec.Key, err)
	return err
}

// bySubject returns the records of a subject.
func (b *backend) bySubject(ctx context.Context, subject string) ([]Record, error) {
	if b.indexer == nil {
		return nil, unsupported("find a subject's sessions")
	}
	start := b.startCall()
	recs, err := b.indexer.BySubject(ctx, b.subjectKey(subject))
	b.endCall(ctx, start, "list subject", "", err)
	if err != nil {
		return nil, b.listError(ctx, "list subject", err)
	}
	return recs, nil
}

// subjectKeys returns a page of the keys of a subject's records.
func (b *backend) subjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	start := b.startCall()
	keys, next, err = b.pager.SubjectKeys(ctx, b.subjectKey(subject), cursor, limit)
	b.endCall(ctx, start, "list subject", "", err)
	if err != nil {
		return nil, "", b.listError(ctx, "list subject", err)
	}
	return keys, next, nil
}

// page returns a page of the records under the manager's prefix.
func (b *backend) page(ctx context.Context, cursor string, limit int) ([]Record, string, error) {
	if b.lister == nil {
		return nil, "", unsupported("list sessions")
	}
	if limit <= 0 {
		limit = 100
	}
	start := b.startCall()
	recs, next, err := b.lister.List(ctx, b.prefix, cursor, limit)
	b.endCall(ctx, start, "list", "", err)
	if err != nil {
		return nil, "", b.listError(ctx, "list", err)
	}
	return recs, next, nil
}

// count returns the number of records under the manager's prefix, or errors.ErrUnsupported if
// the store cannot count them.
func (b *backend) count(ctx context.Context) (int, error) {
	if b.counter == nil {
		return 0, errors.ErrUnsupported
	}
	start := b.startCall()
	n, err := b.counter.Count(ctx, b.prefix)
	b.endCall(ctx, start, "count", "", err)
	return n, b.listError(ctx, "count", err)
}

func (b *backend) purge(ctx context.Context, store Purger, limit int) (int, error) {
	ctx, cancel := b.withTimeout(ctx)
	defer cancel()
	start := b.startCall()
	n, err := store.Purge(ctx, limit)
	b.endCall(ctx, start, "purge", "", err)
	return n, err
}

// advise logs what the store says about the application's settings. Without that it goes on, if
// the store panics, too: the goroutine would end the process.
func (b *backend) advise(ctx context.Context) {
	defer func() { _ = recover() }()
	adviser, ok := b.store.(store.Adviser)
	if !ok {
		return
	}
	ctx, cancel := b.withTimeout(ctx)
	defer cancel()
	if advice := adviser.Advice(ctx); advice != "" {
		b.log.WarnContext(ctx, "sessions: store", "advice", advice)
	}
}

// startCall returns the time if calls are measured.
func (b *backend) startCall() (start time.Time) {
	if b.measure {
		start = time.Now()
	}
	return start
}

// endCall emits the event of a call if calls are measured.
func (b *backend) endCall(ctx context.Context, start time.Time, operation, key string, err error) {
	if !b.measure {
		return
	}
	e := Event{
		Kind: EventStoreCalled, Operation: operation, Took: time.Since(start), Err: err,
		Context: ctx,
	}
	if key != "" {
		e.SessionID = b.idOf(key)
	}
	b.emit(e)
}

// wrapStoreError adds the operation and ErrStore to an error of the store.
func wrapStoreError(operation string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrStore, operation, err)
}

// storeFailure reports a failure of the store and wraps its error. A failure after the client
// has disconnected is logged for debugging only.
func (b *backend) storeFailure(ctx context.Context, operation, key string, err error) error {
	err = wrapStoreError(operation, err)
	level := slog.LevelError
	if errors.Is(ctx.Err(), context.Canceled) {
		level = slog.LevelDebug
	}
	e := Event{Kind: EventStoreFailed, Operation: operation, Err: err, Context: ctx}
	if key != "" {
		e.SessionID = b.idOf(key)
	}
	b.report(level, e)
	return err
}

// loadError returns ErrNotFound as it is and handles any other error of a load as a failure of
// the store.
func (b *backend) loadError(ctx context.Context, key string, err error) error {
	if errors.Is(err, ErrNotFound) {
		return ErrNotFound
	}
	return b.storeFailure(ctx, "load", key, err)
}

// saveError returns the errors of a save or a touch that have a meaning to the caller, and
// handles any other error as a failure of the store.
func (b *backend) saveError(ctx context.Context, key string, err error) error {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		return err
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("sessions: save: %w", err)
	}
	return b.storeFailure(ctx, "save", key, err)
}

// listError returns errors.ErrUnsupported wrapped and handles any other error as a failure of
// the store.
func (b *backend) listError(ctx context.Context, operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("sessions: %s: %w", operation, err)
	}
	return b.storeFailure(ctx, operation, "", err)
}

func unsupported(what string) error {
	return fmt.Errorf("sessions: the store cannot %s: %w", what, errors.ErrUnsupported)
}
