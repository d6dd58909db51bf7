//go:build race

package bench

// raceEnabled reports whether the race detector is on, which allocates by itself.
const raceEnabled = true
