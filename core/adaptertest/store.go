package adaptertest

import (
	"context"
	"errors"
	"sync"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// errDown is what the store says while it is out of order.
var errDown = errors.New("connection refused")

// spy is a store that counts calls and fails on demand. It has the three methods that every store has and none
// of the optional ones, not even the mark of a store that cannot wait, so that the manager treats it like a remote one.
type spy struct {
	below *memstore.Store

	mu    sync.Mutex
	calls map[string]int
	fails map[string]error
}

func newSpy() *spy {
	return &spy{below: memstore.New(memstore.Options{}), calls: map[string]int{}, fails: map[string]error{}}
}

func (s *spy) enter(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	return s.fails[op]
}

// Load returns the record under key.
func (s *spy) Load(ctx context.Context, key string) (core.Record, error) {
	if err := s.enter("load"); err != nil {
		return core.Record{}, err
	}
	return s.below.Load(ctx, key)
}

// Save stores rec if its version is still the stored one.
func (s *spy) Save(ctx context.Context, rec core.Record) (core.Record, error) {
	if err := s.enter("save"); err != nil {
		return core.Record{}, err
	}
	if err := ctx.Err(); err != nil {
		return core.Record{}, err
	}
	return s.below.Save(ctx, rec)
}

// Delete removes the record under key.
func (s *spy) Delete(ctx context.Context, key string) error {
	if err := s.enter("delete"); err != nil {
		return err
	}
	return s.below.Delete(ctx, key)
}

// fail makes an operation fail from now on; a nil error mends it.
func (s *spy) fail(op string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails[op] = err
}

// count returns how many calls of the operations there were; of all, without operations.
func (s *spy) count(ops ...string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range ops {
		n += s.calls[op]
	}
	if len(ops) > 0 {
		return n
	}
	for _, calls := range s.calls {
		n += calls
	}
	return n
}

// records returns how many records there are.
func (s *spy) records() int { return s.below.Len() }
