// Command build runs every test of every module in go.work and sums them up.
//
// It is what `make test` calls. First go vet looks at the whole workspace, which also proves that
// the modules build side by side. Then each module is tested on its own (GOWORK=off), as users have
// it: its tests run under the race detector, its allocation tests run once more without the
// detector (which allocates by itself), and each fuzz target runs for a few seconds.
//
// Several modules are tested at once, because many tests wait for servers. What they print is
// never mixed: a line or a block of lines belongs to one package.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

func main() {
	jobs := flag.Int("jobs", defaultJobs(), "number of modules to test side by side")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx, *jobs, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "make test:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// defaultJobs returns one job per processor, and no more than four: the servers of the tests need
// processors too.
func defaultJobs() int { return min(runtime.NumCPU(), 4) }

// run tests modules of the workspace above the current folder: those named, or else all.
func run(ctx context.Context, jobs int, only []string) (bool, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return false, err
	}
	names, err := workspace(ctx, root)
	if err != nil {
		return false, err
	}
	if names, err = choose(names, only); err != nil {
		return false, err
	}
	r := newReport(os.Stdout)
	together, alone := []func(context.Context){vetter(root, r).vet}, []func(context.Context){}
	for _, name := range names {
		m := module{name: name, root: root, results: r.add(name)}
		if timed(name) {
			alone = append(alone, m.test)
		} else {
			together = append(together, m.test)
		}
	}
	sideBySide(ctx, jobs, together)
	sideBySide(ctx, 1, alone)
	return r.summary(), ctx.Err()
}

// timed reports whether a module's tests need the processors to themselves. Those of testserver
// watch servers elect a new leader: one that gets no time to answer is taken for dead.
func timed(module string) bool { return module == "internal/testserver" }

// sideBySide calls the functions in their order, at most n at a time, until ctx is done.
func sideBySide(ctx context.Context, n int, work []func(context.Context)) {
	queue := make(chan func(context.Context), len(work))
	for _, f := range work {
		queue <- f
	}
	close(queue)
	var workers sync.WaitGroup
	for range max(n, 1) {
		workers.Go(func() {
			for f := range queue {
				if ctx.Err() == nil {
					f(ctx)
				}
			}
		})
	}
	workers.Wait()
}

// choose returns those of the modules that are wanted; all of them if none is named.
func choose(modules, wanted []string) ([]string, error) {
	for _, name := range wanted {
		if !slices.Contains(modules, name) {
			return nil, fmt.Errorf("go.work has no module %s", name)
		}
	}
	if len(wanted) == 0 {
		return modules, nil
	}
	return wanted, nil
}

// workspace returns the folders that go.work names, so that a new module takes part by being listed there.
func workspace(ctx context.Context, root string) ([]string, error) {
	file := filepath.Join(root, "go.work")
	cmd := exec.CommandContext(ctx, "go", "work", "edit", "-json", file) //nolint:gosec // The file is ours.
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read go.work: %w", err)
	}
	var work struct{ Use []struct{ DiskPath string } }
	if err := json.Unmarshal(out, &work); err != nil {
		return nil, fmt.Errorf("read go.work: %w", err)
	}
	dirs := make([]string, 0, len(work.Use))
	for _, use := range work.Use {
		dirs = append(dirs, filepath.ToSlash(filepath.Clean(use.DiskPath)))
	}
	return dirs, nil
}

// fuzzTime is how long each fuzz target runs; FUZZTIME=1m asks for more.
func fuzzTime() string {
	if d := os.Getenv("FUZZTIME"); d != "" {
		return d
	}
	return (5 * time.Second).String()
}
