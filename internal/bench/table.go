package bench

import (
	"fmt"
	"strings"
	"time"
)

// table is a table in Markdown.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table; all columns but the first hold numbers.
func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.header)
	b.WriteString("|---" + strings.Repeat("|---", len(t.header)-1) + "|\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// span is a time for people. What is left of less than nothing is nothing.
func span(nanos float64) string {
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

func spanOf(d time.Duration) string { return span(float64(d)) }

// amount is a number of bytes for people.
func amount(bytes float64) string {
	switch {
	case bytes < 1_000:
		return whole(bytes) + " B"
	case bytes < 100_000:
		return fmt.Sprintf("%.1f kB", bytes/1e3)
	}
	return fmt.Sprintf("%.0f kB", bytes/1e3)
}

// whole is a number without a fraction, and without a sign where less than nothing is left.
func whole(n float64) string { return fmt.Sprintf("%.0f", max(n, 0)) }

// times is a ratio for people.
func times(r float64) string {
	r = max(r, 0)
	if r >= 10 {
		return fmt.Sprintf("%.0f×", r)
	}
	return fmt.Sprintf("%.1f×", r)
}

func bold(text string, really bool) string {
	if really {
		return "**" + text + "**"
	}
	return text
}
