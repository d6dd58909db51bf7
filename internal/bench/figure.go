package bench

import (
	"cmp"
	"slices"
	"time"
)

// figure is what one request takes: time by the clock, time of processors, allocations and their bytes.
type figure struct{ nanos, cpu, allocs, bytes float64 }

func (f figure) minus(g figure) figure {
	return figure{f.nanos - g.nanos, f.cpu - g.cpu, f.allocs - g.allocs, f.bytes - g.bytes}
}

// medianFigure returns the median of each part.
func medianFigure(all []figure) figure {
	part := func(of func(f figure) float64) float64 {
		values := make([]float64, len(all))
		for i, f := range all {
			values[i] = of(f)
		}
		return median(values)
	}
	return figure{
		part(func(f figure) float64 { return f.nanos }),
		part(func(f figure) float64 { return f.cpu }),
		part(func(f figure) float64 { return f.allocs }),
		part(func(f figure) float64 { return f.bytes }),
	}
}

// beyond returns what is left of each round when the bare framework is subtracted.
func beyond(of, bare []figure) []figure {
	left := make([]figure, min(len(of), len(bare)))
	for i := range left {
		left[i] = of[i].minus(bare[i])
	}
	return left
}

// over returns how many times as much one takes as another, of each part.
func (f figure) over(g figure) figure {
	return figure{ratio(f.nanos, g.nanos), ratio(f.cpu, g.cpu), ratio(f.allocs, g.allocs), ratio(f.bytes, g.bytes)}
}

// inRounds returns how many times as much one takes as another, the median over the rounds. A machine that slows down and
// recovers over the rounds changes it less than the ratio of two medians.
func inRounds(of, to []figure) figure {
	ratios := make([]figure, min(len(of), len(to)))
	for i := range ratios {
		ratios[i] = of[i].over(to[i])
	}
	return medianFigure(ratios)
}

// number is what a median can be taken of.
type number interface {
	~float64 | ~int64 | ~int
}

// median returns the middle of some values, of an even number the mean of the two in the middle, 0 of none.
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

// percentile returns the value that p of 100 do not exceed.
func percentile[N cmp.Ordered](values []N, p float64) N {
	var zero N
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	at := int(float64(len(sorted)) * p / 100)
	return sorted[min(at, len(sorted)-1)]
}

// ratio returns how many times as much a is as b. Below a nanosecond nothing can be told apart.
func ratio(a, b float64) float64 { return a / max(b, 1) }

// best returns the smallest time in some results, and whose it is.
func best(results []*result) *result {
	if len(results) == 0 {
		return nil
	}
	return slices.MinFunc(results, func(a, b *result) int { return cmp.Compare(a.net.nanos, b.net.nanos) })
}

// perSecond is a rate.
func perSecond(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }
