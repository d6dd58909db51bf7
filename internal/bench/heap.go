package bench

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// heapResult is what a memory store with many sessions costs.
type heapResult struct {
	name           string
	expires        bool          // whether the store ever drops expired sessions
	bytes, objects float64       // of the heap, for one session
	collection     time.Duration // duration of a full garbage collection
	stallBefore    time.Duration // longest read while nothing expires
	stallDuring    time.Duration // longest read while half of the sessions expire
}

// measureHeap measures the heap of a full store. Then it fills other ones whose sessions
// expire, to measure how long reads stall meanwhile.
func measureHeap(ctx context.Context, build storeConstructor, z *size) (heapResult, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	s, err := build(ctx)
	if err != nil {
		return heapResult{}, err
	}
	began := time.Now()
	expires := began.Add(24 * time.Hour)
	if _, err := s.fill(z.heapSessions, expires, expires); err != nil {
		return heapResult{}, fmt.Errorf("%s: %w", s.name, err)
	}
	filling := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	sessions := float64(z.heapSessions)
	out := heapResult{
		name: s.name, expires: s.sweepInterval >= 0, collection: collectionTime(),
		bytes:   (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / sessions,
		objects: (float64(after.HeapObjects) - float64(before.HeapObjects)) / sessions,
	}
	runtime.KeepAlive(s)
	s.close()
	if out.expires {
		err = out.measureStalls(ctx, build, z, filling)
	}
	return out, err
}

// measureStalls measures the longest reads several times and keeps the shortest of them. A
// stall that expiry causes occurs each time, one that the machine causes does not.
func (r *heapResult) measureStalls(
	ctx context.Context, build storeConstructor, z *size, filling time.Duration,
) error {
	r.stallBefore, r.stallDuring = math.MaxInt64, math.MaxInt64
	for range z.stallTries {
		before, during, err := measureStall(ctx, build, z, filling)
		if err != nil {
			return err
		}
		r.stallBefore, r.stallDuring = min(r.stallBefore, before), min(r.stallDuring, during)
	}
	return nil
}

// collectionTime returns how long a full garbage collection takes.
func collectionTime() time.Duration {
	all := make([]time.Duration, 5)
	for i := range all {
		began := time.Now()
		runtime.GC()
		all[i] = time.Since(began)
	}
	return median(all)
}

// measureStall measures the longest read before and while half of the sessions expire. The
// argument filling is how long it takes to fill a store.
func measureStall(
	ctx context.Context, build storeConstructor, z *size, filling time.Duration,
) (before, during time.Duration, err error) {
	s, err := build(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	window := s.sweepInterval + z.stallWindow
	end := time.Now().Add(filling*3/2 + 2*window)
	keys, err := s.fill(z.heapSessions, end, end.Add(24*time.Hour))
	if err != nil {
		return 0, 0, err
	}
	runtime.GC()
	if before, err = s.longestRead(keys, end.Add(-window), end); err != nil {
		return 0, 0, err
	}
	during, err = s.longestRead(keys, end, end.Add(window))
	return before, during, err
}
