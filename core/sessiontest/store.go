package sessiontest

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// Store is a store in front of another one. It counts the calls and makes them fail or take
// time on demand. It implements every optional interface of a store except [store.Instant], so
// the manager treats it like a store on a network. Where the other store lacks an optional
// interface, the method returns [errors.ErrUnsupported]. A Store is safe for concurrent use.
//
// Because the other store may need purging, a manager with a Store has a goroutine of its own.
// Call [core.Manager.Close] at the end of the test, or set a negative PurgeInterval; otherwise
// a bubble of [testing/synctest] does not end.
type Store struct {
	inner   core.Store
	instant bool // whether inner is a store.Instant, which ignores contexts
	plan    faultPlan
}

var (
	_ core.Store   = (*Store)(nil)
	_ core.Toucher = (*Store)(nil)
	_ core.Indexer = (*Store)(nil)
	_ core.Lister  = (*Store)(nil)
	_ core.Counter = (*Store)(nil)
	_ core.Purger  = (*Store)(nil)
)

// NewStore returns a Store in front of inner. If inner is nil, it uses a new memory store.
func NewStore(inner core.Store) *Store {
	if inner == nil {
		inner = memstore.New(memstore.Options{})
	}
	_, instant := inner.(store.Instant)
	return &Store{inner: inner, instant: instant, plan: faultPlan{calls: make(map[Op]int)}}
}

// Fail adds a fault, which takes effect with the next call. If several faults apply to a call,
// the one that was added first happens.
func (s *Store) Fail(f Fault) {
	if f.Err == nil && (f.Delay == 0 || f.Done) {
		f.Err = ErrDown
	}
	s.plan.add(f)
}

// Heal removes all faults.
func (s *Store) Heal() { s.plan.clear() }

// Calls returns the number of calls of the given operations, or of all operations if none is
// given. It includes calls that failed.
func (s *Store) Calls(ops ...Op) int { return s.plan.countCalls(ops) }

// Load implements [core.Store].
func (s *Store) Load(ctx context.Context, key string) (core.Record, error) {
	return call(ctx, s, Load, func() (core.Record, error) { return s.inner.Load(ctx, key) })
}

// Save implements [core.Store].
func (s *Store) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	return call(ctx, s, Save, func() (core.Record, error) { return s.inner.Save(ctx, rec) })
}

// Delete implements [core.Store].
func (s *Store) Delete(ctx context.Context, key string) error {
	return callNoResult(ctx, s, Delete, func() error { return s.inner.Delete(ctx, key) })
}

// Touch implements [core.Toucher].
func (s *Store) Touch(ctx context.Context, rec core.Record) error {
	inner, ok := s.inner.(core.Toucher)
	if !ok {
		return errors.ErrUnsupported
	}
	return callNoResult(ctx, s, Touch, func() error { return inner.Touch(ctx, rec) })
}

// BySubject implements [core.Indexer].
func (s *Store) BySubject(ctx context.Context, subject string) ([]core.Record, error) {
	inner, ok := s.inner.(core.Indexer)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return call(ctx, s, BySubject, func() ([]core.Record, error) {
		return inner.BySubject(ctx, subject)
	})
}

// SubjectKeys implements [core.SubjectPager]. Its faults are those of [BySubject].
func (s *Store) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	inner, ok := s.inner.(core.SubjectPager)
	if !ok {
		return nil, "", errors.ErrUnsupported
	}
	type page struct {
		keys []string
		next string
	}
	p, err := call(ctx, s, BySubject, func() (p page, err error) {
		p.keys, p.next, err = inner.SubjectKeys(ctx, subject, cursor, limit)
		return p, err
	})
	return p.keys, p.next, err
}

// List implements [core.Lister].
func (s *Store) List(
	ctx context.Context, prefix, cursor string, limit int,
) (recs []core.Record, next string, err error) {
	inner, ok := s.inner.(core.Lister)
	if !ok {
		return nil, "", errors.ErrUnsupported
	}
	type page struct {
		recs []core.Record
		next string
	}
	p, err := call(ctx, s, List, func() (p page, err error) {
		p.recs, p.next, err = inner.List(ctx, prefix, cursor, limit)
		return p, err
	})
	return p.recs, p.next, err
}

// Count implements [core.Counter].
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	inner, ok := s.inner.(core.Counter)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return call(ctx, s, Count, func() (int, error) { return inner.Count(ctx, prefix) })
}

// Purge implements [core.Purger].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	inner, ok := s.inner.(core.Purger)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return call(ctx, s, Purge, func() (int, error) { return inner.Purge(ctx, limit) })
}

// callNoResult is call for a method that returns only an error.
func callNoResult(ctx context.Context, s *Store, op Op, method func() error) error {
	_, err := call(ctx, s, op, func() (struct{}, error) { return struct{}{}, method() })
	return err
}

// call calls method with the fault that applies to op. If the fault has an error, the result
// is the zero value.
func call[T any](ctx context.Context, s *Store, op Op, method func() (T, error)) (T, error) {
	var zero T
	f := s.plan.next(op)
	if err := sleep(ctx, f.Delay); err != nil {
		return zero, err
	}
	if f.Err != nil && !f.Done {
		return zero, f.Err
	}
	// The manager relies on a store that is not Instant to heed its context.
	if s.instant && ctx.Err() != nil {
		return zero, ctx.Err()
	}
	result, err := method()
	if err == nil && f.Err != nil {
		return zero, f.Err
	}
	return result, err
}

// sleep waits for d or until ctx ends, and returns the context's error in the latter case.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
