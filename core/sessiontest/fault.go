package sessiontest

import (
	"context"
	"slices"
	"time"
)

// call makes one call, with what is arranged for it. With a fault there is no result.
func call[T any](ctx context.Context, s *Store, op Op, do func() (T, error)) (T, error) {
	var nothing T
	f := s.next(op)
	if err := sleep(ctx, f.Delay); err != nil {
		return nothing, err
	}
	if f.Err != nil && !f.Done {
		return nothing, f.Err
	}
	// A store whose calls never wait pays no attention to contexts, which this one owes its manager.
	if s.instant && ctx.Err() != nil {
		return nothing, ctx.Err()
	}
	result, err := do()
	if err == nil && f.Err != nil {
		return nothing, f.Err
	}
	return result, err
}

// next counts a call and takes the fault that is to happen to it; the zero value is none.
func (s *Store) next(op Op) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	i := slices.IndexFunc(s.faults, func(f Fault) bool { return f.On == "" || f.On == op })
	if i < 0 {
		return Fault{}
	}
	f := s.faults[i]
	switch {
	case f.Times == 1:
		s.faults = slices.Delete(s.faults, i, i+1)
	case f.Times > 1:
		s.faults[i].Times--
	}
	return f
}

// sleep waits for d or the end of ctx.
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
