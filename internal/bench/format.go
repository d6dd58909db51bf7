package bench

import (
	"fmt"
	"time"
)

// formatNanos formats nanoseconds with a unit. A negative difference is printed as 0 ns.
func formatNanos(nanos float64) string {
	switch {
	case nanos < 0:
		return "0 ns"
	case nanos < 1_000:
		return fmt.Sprintf("%.0f ns", nanos)
	case nanos < 100_000:
		return fmt.Sprintf("%.1f µs", nanos/1e3)
	case nanos < 1_000_000:
		return fmt.Sprintf("%.0f µs", nanos/1e3)
	case nanos < 100_000_000:
		return fmt.Sprintf("%.1f ms", nanos/1e6)
	}
	return fmt.Sprintf("%.0f ms", nanos/1e6)
}

func formatDuration(d time.Duration) string { return formatNanos(float64(d)) }

// formatBytes formats a number of bytes with a unit.
func formatBytes(bytes float64) string {
	switch {
	case bytes < 1_000:
		return formatWhole(bytes) + " B"
	case bytes < 100_000:
		return fmt.Sprintf("%.1f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.0f kB", bytes/1e3)
}

// formatWhole formats a number without a fraction. A negative difference is printed as 0.
func formatWhole(n float64) string { return fmt.Sprintf("%.0f", max(n, 0)) }

func formatTenths(n float64) string { return fmt.Sprintf("%.1f", n) }

// formatRatio formats how many times as much something is.
func formatRatio(r float64) string {
	r = max(r, 0)
	if r >= 10 {
		return fmt.Sprintf("%.0f×", r)
	}
	return fmt.Sprintf("%.1f×", r)
}
