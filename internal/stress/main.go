// Command stress sends mixed traffic to each store while its server fails in many ways, and
// checks the content of each session: see package model. It is run by make stress:
//
//	STRESS=60s STORE=redis,memory SEED=7 make stress
//
// The same seed repeats the same requests and faults, though not their timing. If a session is
// not as it must be, the command prints what happened to the session and exits with status 1.
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

// run stresses the stores that the environment selects, one after another.
func run(ctx context.Context, env func(string) string) error {
	d, err := time.ParseDuration(cmp.Or(env("STRESS"), "30s"))
	if err != nil {
		return fmt.Errorf("STRESS: %w", err)
	}
	random := strconv.FormatUint(uint64(rand.Uint32()), 10) //nolint:gosec // not a secret
	seed, err := strconv.ParseUint(cmp.Or(env("SEED"), random), 10, 64)
	if err != nil {
		return fmt.Errorf("SEED: %w", err)
	}
	chosen, err := selectKinds(env("STORE"))
	if err != nil {
		return err
	}
	silenceDrivers()
	var errs []error
	for _, k := range chosen {
		if ctx.Err() != nil {
			break
		}
		if err := runStore(ctx, k, d, seed); err != nil {
			errs = append(errs, fmt.Errorf("%s (SEED=%d): %w", k.name, seed, err))
		}
	}
	return errors.Join(errs...)
}

// selectKinds returns the kinds of stores with the given names, separated by commas. The empty
// string selects all.
func selectKinds(names string) ([]storeKind, error) {
	all := storeKinds()
	if names == "" {
		return all, nil
	}
	var chosen []storeKind
	for name := range strings.SplitSeq(names, ",") {
		n := slices.IndexFunc(all, func(k storeKind) bool { return k.name == name })
		if n < 0 {
			return nil, fmt.Errorf("STORE: there is no %q", name)
		}
		chosen = append(chosen, all[n])
	}
	return chosen, nil
}

// runStore stresses one store and prints a summary.
func runStore(ctx context.Context, k storeKind, d time.Duration, seed uint64) error {
	_, _ = fmt.Fprintf(os.Stdout, "%s for %v, SEED=%d\n", k.name, d, seed)
	//nolint:contextcheck // uses the context of tb
	return runWithTB(ctx, func(tb testingTB) error {
		tb.Helper()
		summary, err := runStress(tb, k, d, seed)
		_, _ = fmt.Fprint(os.Stdout, summary)
		return err
	})
}

// runStress opens a backend, stresses it, and closes it.
func runStress(
	tb testingTB, k storeKind, d time.Duration, seed uint64,
) (summary string, err error) {
	tb.Helper()
	b := k.open(tb)
	before := countGoroutines()
	s, err := newStress(seed, b.stores)
	if err != nil {
		return "", errors.Join(err, b.close())
	}
	random := rand.New(rand.NewPCG(seed, 1<<32)) //nolint:gosec // can be repeated
	injector := &faultInjector{stress: s, backend: b, tb: tb, random: random}
	err = s.run(tb.Context(), d, injector.run)
	if closeErr := b.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = waitForGoroutines(before)
	}
	return s.summary(), err
}
