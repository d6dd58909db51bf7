package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// write makes files below a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAllocationTestsAreFound(t *testing.T) {
	t.Parallel()
	root := write(t, map[string]string{
		"m/go.mod":         "module example.com/m\n\ngo 1.25\n",
		"m/a/a.go":         "package a\n",
		"m/a/a_test.go":    "package a\n\nfunc TestAllocations() {}\n",
		"m/b/b.go":         "package b\n",
		"m/b/b_test.go":    "package b_test\n\nfunc TestNothingAllocates() {}\n",
		"m/c/c.go":         "package c\n",
		"m/c/c_test.go":    "package c\n\nfunc TestOther() {} // Alloc\n\nfunc helpAlloc() {}\n",
		"m/d/d.go":         "package d\n",
		"m/d/race_test.go": "//go:build !race\n\npackage d\n\nfunc ExampleAlloc() {}\n",
	})
	m := module{name: "m", root: root, results: newReport(io.Discard).add("m")}
	got := m.allocationTests(t.Context())
	if want := []string{"example.com/m/a", "example.com/m/b", "example.com/m/d"}; !slices.Equal(got, want) {
		t.Errorf("packages are %q, want %q", got, want)
	}
}

// A workspace that does not build is a failure, even if each module builds on its own: here b has a copy of a, which the
// workspace replaces by a itself.
func TestWorkspaceHasToBuild(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"go.work":       "go 1.25\n\nuse (\n\t./a\n\t./b\n)\n",
		"a/go.mod":      "module example.com/a\n\ngo 1.25\n",
		"a/a.go":        "package a\n\nconst X = 1\n",
		"b/go.mod":      "module example.com/b\n\ngo 1.25\n\nrequire example.com/a v0.0.0\n\nreplace example.com/a => ./copy\n",
		"b/b.go":        "package b\n",
		"b/b_test.go":   "package b\n\nimport \"example.com/a\"\n\nvar _ = a.X\n",
		"b/copy/go.mod": "module example.com/a\n\ngo 1.25\n",
		"b/copy/a.go":   "package a\n\nconst X = 1\n",
	}
	for _, broken := range []bool{false, true} {
		if broken {
			files["a/a.go"] = "package a\n"
		}
		root := write(t, files)
		var out strings.Builder
		r := newReport(&out)
		alone := module{name: "b", root: root}
		if text, err := alone.command(t.Context(), "vet", "./...").CombinedOutput(); err != nil {
			t.Fatalf("b alone: %v\n%s", err, text)
		}
		vetter(root, r).vet(t.Context())
		if ok := r.summary(); ok == broken {
			t.Errorf("broken = %v, and the summary says %v:\n%s", broken, ok, &out)
		}
	}
}

func TestSideBySide(t *testing.T) {
	t.Parallel()
	var running, most, calls atomic.Int64
	var both sync.WaitGroup
	both.Add(2)
	work := make([]func(context.Context), 6)
	for i := range work {
		work[i] = func(context.Context) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			if calls.Add(1) <= 2 {
				both.Done()
				both.Wait() // The first two have to meet.
			}
			running.Add(-1)
		}
	}
	sideBySide(t.Context(), 2, work)
	if calls.Load() != 6 || most.Load() != 2 {
		t.Errorf("%d calls, %d at a time, want 6 and 2", calls.Load(), most.Load())
	}
}

func TestNothingStartsAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	f := func(context.Context) {
		calls++
		cancel()
	}
	sideBySide(ctx, 1, []func(context.Context){f, f})
	if calls != 1 {
		t.Errorf("%d calls, want one", calls)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	modules := []string{"core", "gin", "echo"}
	if got, err := choose(modules, nil); err != nil || !slices.Equal(got, modules) {
		t.Errorf("choose none = %q, %v, want all", got, err)
	}
	if got, err := choose(modules, []string{"gin"}); err != nil || !slices.Equal(got, []string{"gin"}) {
		t.Errorf("choose gin = %q, %v", got, err)
	}
	if _, err := choose(modules, []string{"gin", "beego"}); err == nil || !strings.Contains(err.Error(), "beego") {
		t.Errorf("err = %v, want one that names beego", err)
	}
}
