package faulttest

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// hangTimeout is much longer than every deadline in these tests. A call that takes longer
// hangs.
const hangTimeout = 30 * time.Second

// Promptly calls f, which must return within its own deadlines. If f hangs, Promptly fails the
// test and returns false.
func Promptly(tb testing.TB, f func()) bool {
	tb.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(hangTimeout)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		tb.Errorf("a call hangs past its deadline\n%s", Stacks())
		return false
	}
}

// Eventually waits until ok returns true. If that takes too long, it fails the test with the
// message failure.
func Eventually(tb testing.TB, failure string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(hangTimeout)
	for ; time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("%s\n%s", failure, Stacks())
}

// countGoroutines returns the number of goroutines, without those of servers and proxies.
func countGoroutines() (n int) {
	for stack := range bytes.SplitSeq(Stacks(), []byte("\n\n")) {
		if !bytes.Contains(stack, []byte("/testserver.")) {
			n++
		}
	}
	return n
}

// Stacks returns the stack traces of all goroutines.
func Stacks() []byte {
	all := make([]byte, 1<<20)
	return all[:runtime.Stack(all, true)]
}

// waitFor waits for an event, or fails the test with the message failure.
func waitFor(tb testing.TB, event <-chan struct{}, failure string) {
	tb.Helper()
	select {
	case <-event:
	case <-time.After(hangTimeout):
		tb.Fatal(failure)
	}
}
