package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// module is one Go module of the workspace on its way through the stages.
type module struct {
	name, root string
	results    *results
}

// vetter returns a module that stands for the whole workspace.
func vetter(root string, r *report) *module {
	return &module{name: ".", root: root, results: r.add("go.work")}
}

// vet proves that all modules build side by side, tests included: go vet compiles what they import
// and type-checks the rest. It is the only stage in the workspace.
func (m *module) vet(ctx context.Context) {
	start := time.Now()
	m.results.progress("go vet in the workspace")
	cmd := m.command(ctx, "vet", "work")
	cmd.Env = append(cmd.Env, "GOWORK="+filepath.Join(m.root, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		m.results.broken("go vet work", append(out, err.Error()...))
	}
	m.results.end(time.Since(start))
}

// test runs all stages. A failed stage does not stop the next one: one run shows everything that is wrong.
func (m *module) test(ctx context.Context) {
	start := time.Now()
	m.stage(ctx, "race", append(raceFlags(), "./...")...)
	if packages := m.allocationTests(ctx); len(packages) > 0 {
		m.stage(ctx, "allocations", append([]string{"-run", "Alloc"}, packages...)...)
	}
	for _, target := range m.results.fuzzTargets() {
		m.fuzz(ctx, target)
	}
	m.results.end(time.Since(start))
}

// raceFlags are the flags of the stage with the race detector. SQLite and its C library were
// translated from C to Go by a program. The detector makes that code seven times as slow and has
// nothing to find in it for us, so it watches the driver above and leaves out what is below.
func raceFlags() []string {
	return []string{
		"-race", "-parallel=16",
		"-gcflags=modernc.org/sqlite/lib=-race=false",
		"-gcflags=modernc.org/libc/...=-race=false",
	}
}

// stage runs go test and feeds the results with what it says. The workspace is vetted already.
func (m *module) stage(ctx context.Context, title string, args ...string) {
	m.results.progress("%s", title)
	cmd := m.command(ctx, append([]string{"test", "-json", "-count=1", "-timeout=15m", "-vet=off"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.results.broken("go test", []byte(err.Error()))
		return
	}
	told := m.results.read(out)
	if err := cmd.Wait(); err != nil && !told {
		m.results.broken("go test, "+title, append(stderr.Bytes(), err.Error()...))
	}
}

// fuzz runs one target. Inputs that it finds on the way go to Go's build cache; only one that fails is written to
// testdata/fuzz.
func (m *module) fuzz(ctx context.Context, target testID) {
	m.results.progress("fuzz %s, %s", target.name, fuzzTime())
	var out []byte
	var err error
	for range 2 {
		cmd := m.command(ctx, "test", "-vet=off", "-run", "^$", "-fuzz", "^"+target.name+"$", "-fuzztime", fuzzTime(), target.pkg)
		out, err = cmd.CombinedOutput()
		if err == nil || !interrupted(out) {
			break
		}
	}
	m.results.fuzzed(target, out, err)
}

// interrupted tells a run that only missed its own deadline, on a busy machine, from one that found something: before
// version 1.27, Go reports the end of -fuzztime as a failure once in a while (go.dev/issue/75804).
func interrupted(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input"))
}

// allocationTests returns the packages of the module that have tests for the stage without the race
// detector. The others are not built for it.
func (m *module) allocationTests(ctx context.Context) []string {
	out, err := m.command(ctx, "list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles", "./...").Output()
	if err != nil {
		m.results.broken("go list", []byte(err.Error()))
		return nil
	}
	var packages []string
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p testFiles
		if err := d.Decode(&p); err != nil {
			m.results.broken("go list", []byte(err.Error()))
			return nil
		}
		if p.contain(allocationTest) {
			packages = append(packages, p.ImportPath)
		}
	}
	return packages
}

// allocationTest matches the declaration of a test that `go test -run Alloc` runs.
const allocationTest = `(?m)^func (Test|Example|Fuzz)\w*Alloc`

// testFiles are the files of a package in which its tests are.
type testFiles struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
}

// contain reports whether a file has a match for pattern. A file that cannot be read counts as one:
// running too much is the smaller harm.
func (p *testFiles) contain(pattern string) bool {
	re := regexp.MustCompile(pattern)
	return slices.ContainsFunc(slices.Concat(p.TestGoFiles, p.XTestGoFiles), func(name string) bool {
		text, err := os.ReadFile(filepath.Join(p.Dir, name)) //nolint:gosec // The go command names the files.
		return err != nil || re.Match(text)
	})
}

// command is a go command in the module's folder, without the workspace unless its environment is changed.
func (m *module) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are ours.
	cmd.Dir = filepath.Join(m.root, m.name)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return cmd
}
