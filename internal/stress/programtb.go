package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing" //nolint:depguard // package testserver needs a testing.TB
)

// testingTB is what servers are started for: a test, or this program.
type testingTB = testing.TB

// programTB is a testing.TB for a program. It is created by runWithTB.
type programTB struct {
	testingTB // nil; provides the methods that testserver does not call

	ctx      context.Context //nolint:containedctx // as in a test
	cleanups []func()
	failed   bool
}

// fatalError is the value with which Fatal and Fatalf panic.
type fatalError struct{ err error }

// runWithTB calls f like a test function. It returns the error of f, or the one with which f
// failed.
func runWithTB(ctx context.Context, f func(testingTB) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	tb := &programTB{ctx: ctx}
	defer func() {
		if e := recover(); e != nil {
			end, ok := e.(fatalError)
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

// Context implements testing.TB.
func (p *programTB) Context() context.Context { return p.ctx }

// Cleanup implements testing.TB.
func (p *programTB) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// Failed implements testing.TB.
func (p *programTB) Failed() bool { return p.failed }

// Helper implements testing.TB.
func (p *programTB) Helper() {}

// Fatal implements testing.TB.
func (p *programTB) Fatal(args ...any) { panic(fatalError{errors.New(fmt.Sprint(args...))}) }

// Fatalf implements testing.TB.
func (p *programTB) Fatalf(format string, args ...any) {
	panic(fatalError{fmt.Errorf(format, args...)})
}

// Skip implements testing.TB. It fails, since a store that was selected must be available.
func (p *programTB) Skip(args ...any) { p.Fatal(args...) }

// Logf implements testing.TB.
func (p *programTB) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

// TempDir implements testing.TB.
func (p *programTB) TempDir() string {
	dir, err := os.MkdirTemp("", "stress-")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
