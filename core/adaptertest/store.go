package adaptertest

import (
	"context"
	"errors"
	"sync"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// errDown is the error of a store that cannot be reached.
var errDown = errors.New("connection refused")

// spyStore is a store that counts calls and fails on demand. It has no optional methods, not
// even that of store.Instant, so the manager treats it like a store on a network.
type spyStore struct {
	inner *memstore.Store

	mu     sync.Mutex
	counts map[string]int   // by operation: "load", "save" or "delete"
	errs   map[string]error // by operation
}

func newSpyStore() *spyStore {
	return &spyStore{
		inner:  memstore.New(memstore.Options{}),
		counts: make(map[string]int),
		errs:   make(map[string]error),
	}
}

// begin counts a call and returns the error that it must fail with.
func (s *spyStore) begin(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[op]++
	return s.errs[op]
}

// Load implements [core.Store].
func (s *spyStore) Load(ctx context.Context, key string) (core.Record, error) {
	if err := s.begin("load"); err != nil {
		return core.Record{}, err
	}
	return s.inner.Load(ctx, key)
}

// Save implements [core.Store].
func (s *spyStore) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	if err := s.begin("save"); err != nil {
		return core.Record{}, err
	}
	if err := ctx.Err(); err != nil {
		return core.Record{}, err
	}
	return s.inner.Save(ctx, rec)
}

// Delete implements [core.Store].
func (s *spyStore) Delete(ctx context.Context, key string) error {
	if err := s.begin("delete"); err != nil {
		return err
	}
	return s.inner.Delete(ctx, key)
}

// indexedStore is a spyStore with the index that a limit of sessions needs.
type indexedStore struct{ *spyStore }

// BySubject implements [core.Indexer].
func (s indexedStore) BySubject(ctx context.Context, subject string) ([]core.Record, error) {
	return s.inner.BySubject(ctx, subject)
}

// fail makes an operation return err from now on. A nil error makes it succeed again.
func (s *spyStore) fail(op string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs[op] = err
}

// calls returns the number of calls of the operations, or of all operations if none is given.
func (s *spyStore) calls(ops ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range ops {
		n += s.counts[op]
	}
	if len(ops) > 0 {
		return n
	}
	for _, count := range s.counts {
		n += count
	}
	return n
}

// forget deletes the record of the session that the token names, as if its time had come.
func (s *spyStore) forget(ctx context.Context, id string) error {
	return s.inner.Delete(ctx, "session:"+id)
}

// records returns the number of records stored.
func (s *spyStore) records() int { return s.inner.Len() }
