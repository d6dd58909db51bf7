package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// module is one Go module of the workspace on its way through the stages.
type module struct {
	name, root string
	report     *report
}

// test runs all stages. A failed stage does not stop the next one: one run shows everything that is wrong.
func (m *module) test(ctx context.Context) {
	start := time.Now()
	m.report.begin(m.name)
	m.workspace(ctx)
	m.stage(ctx, "race", "-race", "-parallel=16", "./...")
	m.stage(ctx, "allocations", "-run", "Alloc", "./...")
	for _, target := range m.report.fuzzTargets() {
		m.fuzz(ctx, target)
	}
	m.report.end(time.Since(start))
}

// workspace proves that the module also builds beside the others; everything else runs without the workspace, as users
// have it. Vet type-checks the test files too.
func (m *module) workspace(ctx context.Context) {
	for _, verb := range []string{"build", "vet"} {
		m.report.progress("go %s in the workspace", verb)
		cmd := m.command(ctx, verb, "./...")
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			m.report.broken(fmt.Sprintf("go %s ./... in the workspace", verb), append(out, err.Error()...))
		}
	}
}

// stage runs go test and feeds the report with what it says.
func (m *module) stage(ctx context.Context, title string, args ...string) {
	m.report.progress("%s", title)
	cmd := m.command(ctx, append([]string{"test", "-json", "-count=1", "-timeout=15m"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.report.broken("go test", []byte(err.Error()))
		return
	}
	told := m.report.read(out)
	if err := cmd.Wait(); err != nil && !told {
		m.report.broken("go test, "+title, append(stderr.Bytes(), err.Error()...))
	}
}

// fuzz runs one target. Inputs that it finds on the way go to Go's build cache; only one that fails is written to
// testdata/fuzz.
func (m *module) fuzz(ctx context.Context, target testID) {
	m.report.progress("fuzz %s, %s", target.name, fuzzTime())
	var out []byte
	var err error
	for range 2 {
		pattern := "^" + target.name + "$"
		out, err = m.command(ctx, "test", "-run", "^$", "-fuzz", pattern, "-fuzztime", fuzzTime(), target.pkg).CombinedOutput()
		if err == nil || !interrupted(out) {
			break
		}
	}
	m.report.fuzzed(target, out, err)
}

// interrupted tells a run that only missed its own deadline, on a busy machine, from one that found something: before
// version 1.27, Go reports the end of -fuzztime as a failure once in a while (go.dev/issue/75804).
func interrupted(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input"))
}

// command is a go command in the module's folder, without the workspace unless its environment is changed.
func (m *module) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are ours.
	cmd.Dir = filepath.Join(m.root, m.name)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	return cmd
}
