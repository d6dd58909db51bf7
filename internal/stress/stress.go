package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/stress/model"
)

const (
	idle         = 12 * time.Second // so that a touch is due each 1.2 s
	grace        = 3 * time.Second
	storeTimeout = time.Second
	hangs        = 30 * time.Second // many times what all timeouts of a request come to
	browsers     = 6
	workers      = 3 // of each browser
)

// stress is one run on one store.
type stress struct {
	seed     uint64
	world    *model.World
	managers []*core.Manager
	stores   []store.Store
	streams  atomic.Int64
	requests atomic.Int64
	broken   context.CancelCauseFunc

	mu     sync.Mutex
	counts map[string]int
	faults []string // the latest ones
}

// newStress makes a manager for each instance of the application. The last one is lazy.
func newStress(seed uint64, stores []store.Store) (*stress, error) {
	s := &stress{seed: seed, world: model.NewWorld(model.Rules{Idle: idle, Grace: grace}), stores: stores, counts: map[string]int{}}
	for n, each := range stores {
		m, err := core.NewManager(core.Options{
			Store: each, Expiry: idle, Grace: grace, StoreTimeout: storeTimeout, Lazy: n > 0 && n == len(stores)-1,
			Logger: slog.New(slog.DiscardHandler), OnEvent: s.event,
		})
		if err != nil {
			return nil, err
		}
		s.managers = append(s.managers, m)
	}
	return s, nil
}

// event counts what the managers tell, but for what the driver itself causes.
func (s *stress) event(e core.Event) {
	if e.Kind != core.EventLate {
		s.count("event " + e.Kind.String())
	}
	if e.Kind == core.EventUndecodable || e.Kind == core.EventBadValue {
		s.fail(fmt.Errorf("session %s: %v: %w", e.SessionID, e.Kind, e.Err))
	}
}

func (s *stress) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// fault notes a fault for the summary and the story.
func (s *stress) fault(kind, detail string) {
	s.count("fault " + kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf("%8.3fs %s %s", s.world.Age().Seconds(), kind, detail))
	if len(s.faults) > 30 {
		s.faults = s.faults[1:]
	}
}

// fail ends the run.
func (s *stress) fail(err error) { s.broken(err) }

// run drives traffic for a time while harm does its worst, which ends with everything healed. Then it looks at every
// session once more.
func (s *stress) run(ctx context.Context, d time.Duration, harm func(context.Context)) error {
	broken, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.broken = stop
	ctx, cancel := context.WithTimeout(broken, d)
	defer cancel()
	all := make([]*browser, browsers)
	var wg sync.WaitGroup
	for n := range all {
		all[n] = &browser{stress: s, name: fmt.Sprintf("browser %d", n)}
		for k := range workers {
			wg.Go(func() { all[n].worker(ctx, k) })
		}
	}
	harm(ctx)
	wg.Wait()
	if err := context.Cause(broken); err != nil {
		return s.told(err)
	}
	if err := s.verify(all); err != nil { //nolint:contextcheck // What is checked at the end is checked to the end.
		return s.told(err)
	}
	return s.close() //nolint:contextcheck // The end must come, whatever became of the run.
}

// close closes the managers.
func (s *stress) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	var errs []error
	for _, m := range s.managers {
		errs = append(errs, m.Close(ctx))
	}
	return errors.Join(errs...)
}

// told adds the faults to a violation.
func (s *stress) told(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%w\nlatest faults:\n%s", err, strings.Join(s.faults, "\n"))
}

// goroutines returns how many there are, apart from those that proxies have for connections.
func goroutines() int {
	stacks := make([]byte, 16<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return len(slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "testserver.(*link)") }))
}

// settled waits until no more goroutines are left than there were before the stores were used.
func settled(before int) error {
	now := 0
	for range 500 {
		if now = goroutines(); now <= before {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	return fmt.Errorf("there were %d goroutines before and are %d after:\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
}

// summary says what the run was made of.
func (s *stress) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "  %d requests, %d sessions, %d creates unanswered, seed %d\n", s.requests.Load(), len(s.world.Sessions()), s.world.Orphans(), s.seed)
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "  %7d %s\n", s.counts[what], what)
	}
	return b.String()
}

var errNoRecovery = errors.New("the store does not recover")
