package faulttest

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// patience is many times every deadline here, so that only what hangs outlasts it.
const patience = 30 * time.Second

// Promptly runs what has a deadline of its own, and reports whether it came back. If not, the test has failed.
func Promptly(tb testing.TB, f func()) bool {
	tb.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		tb.Errorf("a call hangs past its deadline\n%s", Stacks())
		return false
	}
}

// Eventually waits for what must come soon, or ends the test.
func Eventually(tb testing.TB, failure string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	tb.Fatalf("%s\n%s", failure, Stacks())
}

// goroutines counts those that are not the servers' and the proxies'.
func goroutines() (n int) {
	for stack := range bytes.SplitSeq(Stacks(), []byte("\n\n")) {
		if !bytes.Contains(stack, []byte("/testserver.")) {
			n++
		}
	}
	return n
}

// Stacks returns what all goroutines are doing.
func Stacks() []byte {
	all := make([]byte, 1<<20)
	return all[:runtime.Stack(all, true)]
}

// await waits for an event that the traffic brings about.
func await(tb testing.TB, event <-chan struct{}, failure string) {
	tb.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		tb.Fatal(failure)
	}
}
