//go:build unix

package bench

import (
	"syscall"
	"time"
)

// processorTime returns how long the process has kept processors busy, garbage collection included. What else runs on the
// machine disturbs it less than it does a clock.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
