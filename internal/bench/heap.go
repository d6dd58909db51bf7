package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// footprint is what a memory store with many sessions costs.
type footprint struct {
	name           string
	sweeps         bool
	bytes, objects float64       // of the heap, for a session
	collection     time.Duration // a full one
	calm, stall    time.Duration // the longest read while nothing expires, and while half of the sessions do
}

// weigh fills a shelf twice: to weigh it, and to have half of it expire.
func weigh(ctx context.Context, build shelfMaker, z *size) (footprint, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := build(ctx)
	if err != nil {
		return footprint{}, err
	}
	began := time.Now()
	if _, err := s.fill(z.heap, began.Add(24*time.Hour), began.Add(24*time.Hour)); err != nil {
		return footprint{}, fmt.Errorf("%s: %w", s.name, err)
	}
	filling := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	out := footprint{
		name: s.name, sweeps: s.sweep >= 0, collection: collect(),
		bytes:   (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(z.heap),
		objects: (float64(after.HeapObjects) - float64(before.HeapObjects)) / float64(z.heap),
	}
	runtime.KeepAlive(s)
	s.close()
	if out.sweeps {
		err = out.disturbs(ctx, build, z, filling)
	}
	return out, err
}

// disturbs measures the longest read several times and keeps the least: what expiry causes comes each time, what the machine
// does in between does not.
func (f *footprint) disturbs(ctx context.Context, build shelfMaker, z *size, filling time.Duration) error {
	f.calm, f.stall = math.MaxInt64, math.MaxInt64
	for range z.tries {
		calm, stall, err := disturb(ctx, build, z, filling)
		if err != nil {
			return err
		}
		f.calm, f.stall = min(f.calm, calm), min(f.stall, stall)
	}
	return nil
}

// collect returns how long a full collection takes.
func collect() time.Duration {
	all := make([]time.Duration, 5)
	for i := range all {
		began := time.Now()
		runtime.GC()
		all[i] = time.Since(began)
	}
	return median(all)
}

// disturb measures the longest read, before and while half of the sessions expire.
func disturb(ctx context.Context, build shelfMaker, z *size, filling time.Duration) (calm, stall time.Duration, err error) {
	s, err := build(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	window := s.sweep + z.window
	end := time.Now().Add(filling*3/2 + 2*window)
	keys, err := s.fill(z.heap, end, end.Add(24*time.Hour))
	if err != nil {
		return 0, 0, err
	}
	runtime.GC()
	if calm, err = s.longest(keys, end.Add(-window), end); err != nil {
		return 0, 0, err
	}
	stall, err = s.longest(keys, end, end.Add(window))
	return calm, stall, err
}

// fill starts so many sessions, every other of which ends at soon. It returns the keys of some that end at late.
func (s *shelf) fill(sessions int, soon, late time.Time) (keys []string, err error) {
	for i := range sessions {
		expires := soon
		if i%2 == 1 {
			expires = late
		}
		key, err := s.put(expires)
		if err != nil {
			return nil, err
		}
		if i%512 == 511 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// longest reads from one time to another and returns how long the slowest read took.
func (s *shelf) longest(keys []string, from, to time.Time) (worst time.Duration, err error) {
	time.Sleep(time.Until(from))
	now := time.Now()
	for i := 0; now.Before(to); i++ {
		if !s.get(keys[i%len(keys)]) {
			return 0, fmt.Errorf("%s: %w", s.name, errNotStored)
		}
		after := time.Now()
		worst = max(worst, after.Sub(now))
		now = after
	}
	return worst, nil
}
