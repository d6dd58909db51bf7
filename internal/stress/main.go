// Command stress drives mixed traffic against each store while it fails in every way there is, and checks that each session
// contains what it must: see package model. `make stress` runs it.
//
//	STRESS=60s STORE=redis,memory SEED=7 make stress
//
// A seed repeats what the requests and the faults are, though not how they meet. It ends with status 1 and the story of
// the session when one is not as it must be.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stress:", err)
		os.Exit(1)
	}
}

// run stresses the stores that the environment names, one after the other.
func run(ctx context.Context, env func(string) string) error {
	d, err := time.ParseDuration(cmp.Or(env("STRESS"), "30s"))
	if err != nil {
		return fmt.Errorf("STRESS: %w", err)
	}
	seed, err := strconv.ParseUint(cmp.Or(env("SEED"), strconv.FormatUint(uint64(rand.Uint32()), 10)), 10, 64) //nolint:gosec // It is printed.
	if err != nil {
		return fmt.Errorf("SEED: %w", err)
	}
	chosen, err := choice(env("STORE"))
	if err != nil {
		return err
	}
	silence()
	var errs []error
	for _, k := range chosen {
		if ctx.Err() != nil {
			break
		}
		if err := one(ctx, k, d, seed); err != nil {
			errs = append(errs, fmt.Errorf("%s (SEED=%d): %w", k.name, seed, err))
		}
	}
	return errors.Join(errs...)
}

// choice returns the stores of these names, all of them for none.
func choice(names string) ([]kind, error) {
	all := kinds()
	if names == "" {
		return all, nil
	}
	var chosen []kind
	for name := range strings.SplitSeq(names, ",") {
		n := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
		if n < 0 {
			return nil, fmt.Errorf("STORE: there is no %q", name)
		}
		chosen = append(chosen, all[n])
	}
	return chosen, nil
}

// one stresses one store and prints a summary.
func one(ctx context.Context, k kind, d time.Duration, seed uint64) error {
	_, _ = fmt.Fprintf(os.Stdout, "%s for %v, SEED=%d\n", k.name, d, seed)
	return hosted(ctx, func(tb host) error { //nolint:contextcheck // The context is that of tb.
		tb.Helper()
		summary, err := runStress(tb, k, d, seed)
		_, _ = fmt.Fprint(os.Stdout, summary)
		return err
	})
}

// runStress opens the place, puts it under stress, and closes it.
func runStress(tb host, k kind, d time.Duration, seed uint64) (summary string, err error) {
	tb.Helper()
	p := k.open(tb)
	before := goroutines()
	s, err := newStress(seed, p.stores)
	if err != nil {
		return "", errors.Join(err, p.close())
	}
	h := &harm{stress: s, place: p, tb: tb, random: rand.New(rand.NewPCG(seed, 1<<32))} //nolint:gosec // To be repeated.
	err = s.run(tb.Context(), d, h.run)
	if closing := p.close(); err == nil {
		err = closing
	}
	if err == nil {
		err = settled(before)
	}
	return s.summary(), err
}
