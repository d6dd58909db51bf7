package bench

import (
	"cmp"
	"slices"
	"time"
)

// sample is what one request takes on average over a slot: time by the clock, CPU time,
// allocations and allocated bytes. Times are in nanoseconds.
type sample struct{ nanos, cpu, allocs, bytes float64 }

func (s sample) minus(t sample) sample {
	return sample{s.nanos - t.nanos, s.cpu - t.cpu, s.allocs - t.allocs, s.bytes - t.bytes}
}

// dividedBy returns the ratio of each part.
func (s sample) dividedBy(t sample) sample {
	return sample{
		ratio(s.nanos, t.nanos), ratio(s.cpu, t.cpu),
		ratio(s.allocs, t.allocs), ratio(s.bytes, t.bytes),
	}
}

// medianSample returns the median of each part.
func medianSample(all []sample) sample {
	part := func(of func(s sample) float64) float64 {
		values := make([]float64, len(all))
		for i, s := range all {
			values[i] = of(s)
		}
		return median(values)
	}
	return sample{
		part(func(s sample) float64 { return s.nanos }),
		part(func(s sample) float64 { return s.cpu }),
		part(func(s sample) float64 { return s.allocs }),
		part(func(s sample) float64 { return s.bytes }),
	}
}

// subtractBare subtracts the bare framework's sample of the same round from each sample.
func subtractBare(rounds, bare []sample) []sample {
	out := make([]sample, min(len(rounds), len(bare)))
	for i := range out {
		out[i] = rounds[i].minus(bare[i])
	}
	return out
}

// medianRatio returns the median over the rounds of how many times as much a takes as b. A
// machine that slows down for some rounds changes it less than it changes the ratio of two
// medians.
func medianRatio(a, b []sample) sample {
	ratios := make([]sample, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i].dividedBy(b[i])
	}
	return medianSample(ratios)
}

// number is a type of which a median can be taken.
type number interface {
	~float64 | ~int64 | ~int
}

// median returns the middle value, or the mean of the two middle values if their number is
// even. The median of no values is 0.
func median[N number](values []N) N {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// percentile returns the value that p percent of the values do not exceed.
func percentile[N cmp.Ordered](values []N, p float64) N {
	var zero N
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	at := int(float64(len(sorted)) * p / 100)
	return sorted[min(at, len(sorted)-1)]
}

// ratio returns a divided by b. A b below one nanosecond counts as one, since less cannot be
// measured.
func ratio(a, b float64) float64 { return a / max(b, 1) }

// perSecond returns n divided by a time in seconds.
func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
