package sessiontest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// Op is an operation of a store.
type Op string

// The operations of [core.Store] and of its optional interfaces.
const (
	Load      Op = "load"
	Save      Op = "save"
	Delete    Op = "delete"
	Touch     Op = "touch"
	BySubject Op = "list subject"
	List      Op = "list"
	Count     Op = "count"
	Purge     Op = "purge"
)

// ErrDown is what a [Fault] without another error says: that the store cannot be reached.
var ErrDown = errors.New("sessiontest: the store is down")

// Fault is what happens to calls of a [Store]. The zero value makes every call fail with [ErrDown].
type Fault struct {
	// On is the operation. "": all of them.
	On Op
	// Times is how many calls it happens to. Zero: to all, until [Store.Heal].
	Times int
	// Err is what the call returns. Nil: ErrDown; but with a Delay and without Done the call is slow and nothing else.
	Err error
	// Delay is how long the call takes before anything else happens. It ends early, with the context's error, when the
	// context does; the manager's StoreTimeout sees to that.
	Delay time.Duration
	// Done carries the call out and then fails it, as when the answer of a server is lost.
	Done bool
}

// Store passes calls on to another store, counts them, and lets them fail or take long on demand. It offers every optional
// interface but the one that marks a store which cannot wait, so the manager treats it like one on a network; what the store
// within has not is answered with [errors.ErrUnsupported]. It is safe for concurrent use.
//
// As it may be one that is to be purged, its manager has a goroutine: call [core.Manager.Close] at the end of the test, or
// give the manager a negative PurgeInterval. Without that a bubble of testing/synctest does not end.
type Store struct {
	inner   core.Store
	instant bool

	mu     sync.Mutex
	faults []Fault
	calls  map[Op]int
}

var (
	_ core.Store   = (*Store)(nil)
	_ core.Toucher = (*Store)(nil)
	_ core.Indexer = (*Store)(nil)
	_ core.Lister  = (*Store)(nil)
	_ core.Counter = (*Store)(nil)
	_ core.Purger  = (*Store)(nil)
)

// NewStore returns a store in front of inner. Nil: in front of a memory store.
func NewStore(inner core.Store) *Store {
	if inner == nil {
		inner = memstore.New(memstore.Options{})
	}
	_, instant := inner.(interface{ Instant() })
	return &Store{inner: inner, instant: instant, calls: make(map[Op]int)}
}

// Fail arranges for a fault, from the next call on. Of several that fit a call the one arranged first happens.
func (s *Store) Fail(f Fault) {
	if f.Err == nil && (f.Delay == 0 || f.Done) {
		f.Err = ErrDown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Heal ends all faults.
func (s *Store) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Calls returns how many calls of these operations there were, those that failed among them; of all, if none is named.
func (s *Store) Calls(ops ...Op) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for op, calls := range s.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (core.Record, error) {
	return call(ctx, s, Load, func() (core.Record, error) { return s.inner.Load(ctx, key) })
}

// Save stores rec if its version is still the stored one.
func (s *Store) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	return call(ctx, s, Save, func() (core.Record, error) { return s.inner.Save(ctx, rec) })
}

// Delete removes the record under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := call(ctx, s, Delete, func() (none, error) { return none{}, s.inner.Delete(ctx, key) })
	return err
}

// Touch moves the expiry of the stored record forward, if the store within can.
func (s *Store) Touch(ctx context.Context, rec core.Record) error {
	inner, ok := s.inner.(core.Toucher)
	if !ok {
		return errors.ErrUnsupported
	}
	_, err := call(ctx, s, Touch, func() (none, error) { return none{}, inner.Touch(ctx, rec) })
	return err
}

// BySubject returns the records of one subject, if the store within can.
func (s *Store) BySubject(ctx context.Context, subject string) ([]core.Record, error) {
	inner, ok := s.inner.(core.Indexer)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return call(ctx, s, BySubject, func() ([]core.Record, error) { return inner.BySubject(ctx, subject) })
}

// List returns a page of the records whose keys start with prefix, if the store within can.
func (s *Store) List(ctx context.Context, prefix, cursor string, limit int) (recs []core.Record, next string, err error) {
	inner, ok := s.inner.(core.Lister)
	if !ok {
		return nil, "", errors.ErrUnsupported
	}
	p, err := call(ctx, s, List, func() (p page, err error) {
		p.recs, p.next, err = inner.List(ctx, prefix, cursor, limit)
		return p, err
	})
	return p.recs, p.next, err
}

// Count returns how many records have a key that starts with prefix, if the store within can.
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	inner, ok := s.inner.(core.Counter)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return call(ctx, s, Count, func() (int, error) { return inner.Count(ctx, prefix) })
}

// Purge deletes expired records, at most limit of them, if the store within can.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	inner, ok := s.inner.(core.Purger)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return call(ctx, s, Purge, func() (int, error) { return inner.Purge(ctx, limit) })
}

// none is what a call returns beside its error, and page what List does.
type (
	none struct{}
	page struct {
		recs []core.Record
		next string
	}
)
