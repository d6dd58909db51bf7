package bench

import (
	"math/rand/v2"
	"time"
)

// size says how much to measure.
type size struct {
	// The schedules of the parts of the report. Each slot of memory begins with a garbage
	// collection. It must be long enough for further collections of its own garbage; otherwise
	// garbage would seem to cost nothing.
	memory, remote, payload, parallel, contention, load schedule

	parallelSessions int
	heapSessions     int
	changesPerWriter int
	stores           []storeConstructor
	stallTries       int
	stallWindow      time.Duration // added to a store's sweep interval, to see its stall
	profileTime      time.Duration
}

// newSize returns the usual size or a quick one. The seed determines the order of the rounds.
func newSize(quick bool, seed uint64) size {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // an order that can be repeated
	with := func(rounds int, slot time.Duration) schedule {
		if quick {
			rounds, slot = 3, slot/5
		}
		return schedule{rounds, slot, random}
	}
	out := size{
		memory:     with(15, 100*time.Millisecond),
		remote:     with(81, 40*time.Millisecond),
		payload:    with(9, 60*time.Millisecond),
		parallel:   with(5, 300*time.Millisecond),
		contention: with(5, 0),
		load:       with(5, 500*time.Millisecond),

		parallelSessions: 100_000, heapSessions: 1_000_000, changesPerWriter: 100,
		stores: storesUnderTest(), stallTries: 6, stallWindow: time.Second,
		profileTime: 5 * time.Second,
	}
	if quick {
		out.parallelSessions /= 20
		out.heapSessions /= 10
		out.changesPerWriter /= 4
		out.stallTries = 1
		out.profileTime /= 10
	}
	return out
}
