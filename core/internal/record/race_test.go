//go:build race

package record

// raceEnabled says whether the race detector is on, which allocates memory of its own.
const raceEnabled = true
