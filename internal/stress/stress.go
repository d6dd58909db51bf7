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
	idleTimeout  = 12 * time.Second // a touch is due every 1.2 s
	graceTime    = 3 * time.Second
	storeTimeout = time.Second
	hangTimeout  = 30 * time.Second // much longer than all timeouts of a request
	browsers     = 6
	workers      = 3 // of each browser
)

// stress is a run on one backend.
type stress struct {
	seed        uint64
	history     *model.History
	managers    []*core.Manager
	stores      []store.Store
	workerCount atomic.Int64
	requests    atomic.Int64
	cancel      context.CancelCauseFunc

	mu     sync.Mutex
	counts map[string]int
	faults []string // the latest ones
}

// newStress creates a manager for each instance of the application. The last one is lazy.
func newStress(seed uint64, stores []store.Store) (*stress, error) {
	s := &stress{
		seed: seed, stores: stores, counts: map[string]int{},
		history: model.NewHistory(model.Rules{Idle: idleTimeout, Grace: graceTime}),
	}
	for n, each := range stores {
		m, err := core.NewManager(core.Options{
			Store: each, Expiry: idleTimeout, Grace: graceTime, StoreTimeout: storeTimeout,
			Lazy:   n > 0 && n == len(stores)-1,
			Logger: slog.New(slog.DiscardHandler), OnEvent: s.onEvent,
		})
		if err != nil {
			return nil, err
		}
		s.managers = append(s.managers, m)
	}
	return s, nil
}

// onEvent counts the events of the managers, except those that the requests cause on purpose.
func (s *stress) onEvent(e core.Event) {
	if e.Kind != core.EventLate {
		s.count("event " + e.Kind.String())
	}
	switch e.Kind {
	case core.EventUndecodable, core.EventBadValue, core.EventValueRefused:
		s.fail(fmt.Errorf("session %s: %v: %w", e.SessionID, e.Kind, e.Err))
	default:
	}
}

func (s *stress) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}

// recordFault records a fault for the summary and the error message.
func (s *stress) recordFault(kind, detail string) {
	s.count("fault " + kind)
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%8.3fs %s %s", s.history.Age().Seconds(), kind, detail)
	s.faults = append(s.faults, line)
	if len(s.faults) > 30 {
		s.faults = s.faults[1:]
	}
}

// fail ends the run with an error.
func (s *stress) fail(err error) { s.cancel(err) }

// run sends traffic for the given time while it calls inject, which returns when ctx is done
// and no fault is left. Then it checks every session once more.
func (s *stress) run(
	ctx context.Context, d time.Duration, inject func(context.Context),
) error {
	failed, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.cancel = stop
	ctx, cancel := context.WithTimeout(failed, d)
	defer cancel()
	all := make([]*browser, browsers)
	var wg sync.WaitGroup
	for n := range all {
		all[n] = &browser{stress: s, name: fmt.Sprintf("browser %d", n)}
		for k := range workers {
			wg.Go(func() { all[n].runWorker(ctx, k) })
		}
	}
	inject(ctx)
	wg.Wait()
	if err := context.Cause(failed); err != nil {
		return s.withFaults(err)
	}
	if err := s.verify(all); err != nil { //nolint:contextcheck // ctx is done
		return s.withFaults(err)
	}
	return s.close() //nolint:contextcheck // ctx is done
}

// close closes the managers.
func (s *stress) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout)
	defer cancel()
	var errs []error
	for _, m := range s.managers {
		errs = append(errs, m.Close(ctx))
	}
	return errors.Join(errs...)
}

// withFaults adds the latest faults to an error.
func (s *stress) withFaults(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%w\nlatest faults:\n%s", err, strings.Join(s.faults, "\n"))
}

// countGoroutines returns the number of goroutines, without those of proxied connections.
func countGoroutines() int {
	stacks := make([]byte, 16<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return len(slices.DeleteFunc(all, func(stack string) bool {
		return strings.Contains(stack, "testserver.(*proxyConn)")
	}))
}

// waitForGoroutines waits until there are no more goroutines than before the stores were used.
func waitForGoroutines(before int) error {
	now := 0
	for range 500 {
		if now = countGoroutines(); now <= before {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	return fmt.Errorf("there were %d goroutines before and are %d after:\n%s",
		before, now, stacks[:runtime.Stack(stacks, true)])
}

// summary returns a summary of the run.
func (s *stress) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "  %d requests, %d sessions, %d creates unanswered, seed %d\n",
		s.requests.Load(), len(s.history.Sessions()), s.history.Orphans(), s.seed)
	for _, what := range slices.Sorted(maps.Keys(s.counts)) {
		fmt.Fprintf(&b, "  %7d %s\n", s.counts[what], what)
	}
	return b.String()
}

var errNoRecovery = errors.New("the store does not recover")
