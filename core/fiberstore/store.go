package fiberstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// DefaultMaxData is the default of [Options.MaxData].
const DefaultMaxData = 4 << 20

// Options configures a [Store]. Either OneProcess or AcceptLostUpdates must be set.
type Options struct {
	// OneProcess says that no other process, and no other Store, writes to the storage while this
	// one does. The store then keeps every rule of package store.
	OneProcess bool
	// AcceptLostUpdates accepts what several processes do to each other on a storage without
	// conditional writes: changes may be lost, and a session that was signed out may come back.
	AcceptLostUpdates bool
	// AcceptStalls accepts a storage of Fiber v2, which takes no context: a call that hangs
	// holds its request, whatever the manager's StoreTimeout is. For a storage in memory, or one
	// with short timeouts of its own, that is no loss.
	AcceptStalls bool
	// MaxData is the largest data of a record in bytes; a larger one is [store.ErrTooLarge]. The
	// default is 4 MiB.
	MaxData int
}

// Store is a [store.Store] on a storage of Fiber. It is safe for concurrent use.
type Store struct {
	storage contextStorage
	maxData int
	seed    maphash.Seed
	locks   [64]chan struct{} // each for the keys of one hash
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
)

// New returns a Store on a storage, or an error that says which option to set. The storage stays
// the caller's to close.
func New(storage Storage, o Options) (*Store, error) {
	if v := reflect.ValueOf(storage); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("sessions: fiberstore: the storage is nil")
	}
	bounded, ok := storage.(contextStorage)
	switch {
	case o.OneProcess == o.AcceptLostUpdates:
		return nil, errors.New("sessions: fiberstore: a fiber.Storage has no conditional writes:" +
			" set OneProcess if no other process writes to it, also during a deploy, or " +
			"AcceptLostUpdates if changes and sign-outs may be lost; or use another store")
	case !ok && !o.AcceptStalls:
		return nil, errors.New("sessions: fiberstore: the storage takes no context, so that " +
			"a call which hangs holds its request: use its release for Fiber v3, " +
			"or set AcceptStalls")
	case o.MaxData < 0:
		return nil, fmt.Errorf("sessions: fiberstore: MaxData is %d: set a length in bytes, "+
			"or 0 for %d", o.MaxData, DefaultMaxData)
	case !ok:
		bounded = withoutContext{storage}
	}
	s := &Store{storage: bounded, maxData: o.MaxData, seed: maphash.MakeSeed()}
	if s.maxData == 0 {
		s.maxData = DefaultMaxData
	}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s, nil
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	value, err := s.storage.GetWithContext(ctx, key)
	if err != nil {
		return store.Record{}, err
	}
	rec, ok := decode(key, value)
	if !ok || rec.Expired(time.Now()) {
		return store.Record{}, store.ErrNotFound
	}
	return rec, nil
}

// Save implements [store.Store], as far as the storage allows; see the package's documentation.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	if err := storekit.CheckSize(&rec, s.maxData); err != nil {
		return store.Record{}, err
	}
	unlock, err := s.lock(ctx, rec.Key)
	if err != nil {
		return store.Record{}, err
	}
	defer unlock()
	current, err := s.Load(ctx, rec.Key)
	isNew := rec.Version == 0 && errors.Is(err, store.ErrNotFound)
	switch {
	case rec.Expired(time.Now()):
		return storekit.RefuseExpired(rec.Version, current, err)
	case err != nil && !isNew:
		return store.Record{}, err
	case err == nil && current.Version != rec.Version:
		return current, store.ErrConflict
	}
	rec.Version = storekit.NewVersion(rec.Version)
	if err := s.set(ctx, &rec); err != nil {
		return store.Record{}, err
	}
	return rec, nil
}

// Touch implements [store.Toucher]. It writes the whole record, which saves the manager a load.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	unlock, err := s.lock(ctx, rec.Key)
	if err != nil {
		return err
	}
	defer unlock()
	current, err := s.Load(ctx, rec.Key)
	switch {
	case err != nil:
		return err
	case current.Version != rec.Version:
		return store.ErrConflict
	case current.Expires.IsZero() || !rec.Expires.IsZero() && !rec.Expires.After(current.Expires):
		return nil
	}
	current.Expires = rec.Expires
	return s.set(ctx, &current)
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, key string) error {
	unlock, err := s.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	return s.storage.DeleteWithContext(ctx, key)
}

func (s *Store) set(ctx context.Context, rec *store.Record) error {
	return s.storage.SetWithContext(ctx, rec.Key, encode(rec), lifeOf(rec.Expires))
}

// lock waits until no other call works on the key. The caller must call unlock.
func (s *Store) lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	place := s.locks[maphash.String(s.seed, key)%uint64(len(s.locks))]
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
