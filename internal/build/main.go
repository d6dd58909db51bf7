// Command build runs every test of every module in go.work and sums them up.
//
// It is what `make test` calls. Each module goes through four stages: it builds
// and vets in the workspace, its tests run on its own (GOWORK=off) under the race
// detector, its allocation tests run once more without the detector (which
// allocates by itself), and each fuzz target runs for a few seconds.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "make test:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run tests the modules of the workspace above the current folder.
func run(ctx context.Context) (bool, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return false, err
	}
	dirs, err := workspace(ctx, root)
	if err != nil {
		return false, err
	}
	r := newReport(os.Stdout)
	for _, dir := range dirs {
		m := module{name: filepath.ToSlash(filepath.Clean(dir)), root: root, report: r}
		m.test(ctx)
	}
	return r.summary(), ctx.Err()
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
		dirs = append(dirs, use.DiskPath)
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
