// Package recipe runs the recipes' programs for their tests, as a user runs them, and opens them
// in a browser.
package recipe

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Build compiles the program in the directory of the test, with the race detector if the test has
// it too, and returns the path of the binary.
func Build(tb testing.TB) string {
	tb.Helper()
	noteSources(tb)
	binary := filepath.Join(tb.TempDir(), "program")
	race := "-race=" + strconv.FormatBool(underRace())
	//nolint:gosec // the arguments are the test's own
	cmd := exec.CommandContext(tb.Context(), "go", "build", race, "-o", binary, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// underRace reports whether the test itself was built with the race detector.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Program is a running program. Call its methods from the goroutine of the test.
type Program struct {
	URL string // where it says that it listens

	tb    testing.TB
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{} // closed when the process has ended
	err   error         // how it ended; set before ended is closed
}

// Start runs the program until it says "listening on" and an address in its log, which it writes
// to the standard error. It is killed when the test ends, if it still runs then.
func Start(tb testing.TB, binary string, args ...string) *Program {
	tb.Helper()
	p := &Program{tb: tb, ended: make(chan struct{})}
	//nolint:gosec,noctx // the test's own program; signals end it, which is under test
	p.cmd = exec.Command(binary, args...)
	p.cmd.Stderr = &p.log
	// The race detector would wait for a second at the end of the process.
	p.cmd.Env = append([]string{"GORACE=atexit_sleep_ms=100"}, os.Environ()...)
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	tb.Cleanup(p.kill)
	const listening = "listening on "
	_, rest, _ := strings.Cut(p.WaitForLog(listening), listening)
	address, _, _ := strings.Cut(rest, "\n")
	p.URL = "http://" + address
	return p
}

func (p *Program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	if p.tb.Failed() {
		p.tb.Logf("log of the program at %s:\n%s", p.URL, p.Log())
	}
}

// Log returns what the program has written to the standard error so far.
func (p *Program) Log() string { return p.log.String() }

// WaitForLog waits until the log contains the text in a complete line, and returns the log.
func (p *Program) WaitForLog(text string) string { p.tb.Helper(); return p.WaitForLogs(text, 1) }

// WaitForLogs waits until the log contains the text n times, and returns the log.
func (p *Program) WaitForLogs(text string, n int) (log string) {
	p.tb.Helper()
	Eventually(p.tb, "the log has "+text, func() bool {
		log = p.Log()
		select {
		case <-p.ended:
			log = p.Log()
			if strings.Count(log, text) < n {
				p.tb.Fatalf("the program has ended (%v) without %q:\n%s", p.err, text, log)
			}
		default:
		}
		return strings.Count(log, text) >= n && strings.HasSuffix(log, "\n")
	})
	return log
}

// Signal sends a signal to the program.
func (p *Program) Signal(s syscall.Signal) {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.tb.Fatal(err)
	}
}

// Wait waits until the program has ended, and fails the test if it did not end with status 0.
func (p *Program) Wait() {
	p.tb.Helper()
	<-p.ended
	if p.err != nil {
		p.tb.Errorf("the program ended with %v:\n%s", p.err, p.Log())
	}
}

// Eventually waits until the condition holds. It ends the test if that takes minutes.
func Eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			tb.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// lockedBuffer is a buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
