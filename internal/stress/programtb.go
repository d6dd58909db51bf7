package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing" //nolint:depguard // The servers of tests take what tests have, and this program needs no flags of theirs.
)

// host is whom servers are started for: a test, or this program.
type host = testing.TB

// outside is a test that is none, for a program. It is made by hosted.
type outside struct {
	host // For the methods that servers have no use for; there is nothing in it.

	ctx      context.Context //nolint:containedctx // A test has one.
	cleanups []func()
	failed   bool
}

// ending is why an outside ends early.
type ending struct{ err error }

// hosted runs f as a test runs, and returns why it failed.
func hosted(ctx context.Context, f func(host) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	tb := &outside{ctx: ctx}
	defer func() {
		if e := recover(); e != nil {
			end, ok := e.(ending)
			if !ok {
				panic(e)
			}
			err = end.err
		}
		tb.failed = err != nil
		cancel()
		for _, cleanup := range slices.Backward(tb.cleanups) {
			cleanup()
		}
	}()
	return f(tb)
}

// Context implements host.
func (o *outside) Context() context.Context { return o.ctx }

// Cleanup implements host.
func (o *outside) Cleanup(f func()) { o.cleanups = append(o.cleanups, f) }

// Failed implements host.
func (o *outside) Failed() bool { return o.failed }

// Helper implements host.
func (o *outside) Helper() {}

// Fatal implements host.
func (o *outside) Fatal(args ...any) { panic(ending{errors.New(fmt.Sprint(args...))}) }

// Fatalf implements host.
func (o *outside) Fatalf(format string, args ...any) { panic(ending{fmt.Errorf(format, args...)}) }

// Skip implements host. Nothing is skipped here: whoever asked for a store wants it.
func (o *outside) Skip(args ...any) { o.Fatal(args...) }

// Logf implements host.
func (o *outside) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// TempDir implements host.
func (o *outside) TempDir() string {
	dir, err := os.MkdirTemp("", "stress-")
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
