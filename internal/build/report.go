package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// testID names a test; name is empty for what concerns the package as a whole.
type testID struct{ pkg, name string }

// event is a line of `go test -json`.
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
	Elapsed                                                float64
}

// row is a module's line in the summary.
type row struct {
	name     string
	packages map[string]bool
	failed   bool
	took     time.Duration
}

// report collects results and prints them as they come: a line per package, and all the output of what failed.
type report struct {
	w       io.Writer
	rows    []*row
	results map[testID]string   // the last action: "pass", "fail" or "skip" in the end
	output  map[testID][]string // of the package that runs now
}

func newReport(w io.Writer) *report {
	return &report{w: w, results: map[testID]string{}, output: map[testID][]string{}}
}

func (r *report) module() *row { return r.rows[len(r.rows)-1] }

func (r *report) begin(name string) {
	r.rows = append(r.rows, &row{name: name, packages: map[string]bool{}})
}

func (r *report) end(took time.Duration) { r.module().took = took }

func (r *report) progress(format string, args ...any) {
	r.print("== ", r.module().name, ": ", fmt.Sprintf(format, args...), "\n")
}

// read takes the output of `go test -json` to its end and says whether it told of a failure.
func (r *report) read(events io.Reader) (failed bool) {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		failed = r.line(line) || failed
		if err != nil {
			return failed
		}
	}
}

func (r *report) line(line string) (failed bool) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		r.print(line) // Not an event: nothing may get lost.
		return false
	}
	r.add(&e)
	return e.Action == "fail"
}

func (r *report) add(e *event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		r.print(e.Output)
	case "output":
		r.output[id] = append(r.output[id], e.Output)
	case "run", "pause", "cont", "pass", "fail", "skip":
		if e.Test == "" {
			r.packageDone(e)
		} else {
			r.testDone(id, e.Action)
		}
	}
}

// print does not look at the error: there is nobody else to tell.
func (r *report) print(text ...string) { _, _ = io.WriteString(r.w, strings.Join(text, "")) }

// testDone keeps the last word on a test, so that an allocation test skipped under the race detector and passed without
// it has passed. A failure stays.
func (r *report) testDone(id testID, result string) {
	if r.results[id] != "fail" {
		r.results[id] = result
	}
}

func (r *report) packageDone(e *event) {
	r.module().packages[e.Package] = true
	r.abandon(e.Package)
	if e.Action == "fail" {
		r.packageFailed(e)
	} else if r.ran(e.Package) {
		r.print(fmt.Sprintf("ok    %6.1fs  %s\n", e.Elapsed, e.Package))
	}
	r.skipped(e.Package)
	maps.DeleteFunc(r.output, func(id testID, _ []string) bool { return id.pkg == e.Package })
}

func (r *report) packageFailed(e *event) {
	id := testID{pkg: e.Package}
	r.module().failed = true
	r.print(fmt.Sprintf("FAIL  %6.1fs  %s\n", e.Elapsed, e.Package))
	for _, id := range r.ended(e.Package, "fail") {
		r.print(r.output[id]...)
	}
	r.print(r.output[id]...)
	if !r.anyFailed(e.Package) {
		r.results[id] = "fail" // It did not compile, or ended outside a test.
	}
}

// ran says whether any test has started; a package without tests is not worth a line.
func (r *report) ran(pkg string) bool {
	for id := range r.output {
		if id.pkg == pkg && id.name != "" {
			return true
		}
	}
	return false
}

// abandon counts tests that were running when a panic or a timeout ended the package as failed; those that waited for
// their turn ("pause") count as nothing.
func (r *report) abandon(pkg string) {
	for id, result := range r.results {
		if id.pkg == pkg && (result == "run" || result == "cont") {
			r.results[id] = "fail"
		}
	}
}

func (r *report) anyFailed(pkg string) bool {
	for id, result := range r.results {
		if id.pkg == pkg && result == "fail" {
			return true
		}
	}
	return false
}

// skipped prints a line for each skipped test, with the reason it gave.
func (r *report) skipped(pkg string) {
	for _, id := range r.ended(pkg, "skip") {
		reason := ""
		for _, line := range r.output[id] {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
				reason = line
			}
		}
		r.print("skip  ", id.name, ": ", reason, "\n")
	}
}

// ended returns the tests of the package that is ending now that have that result.
func (r *report) ended(pkg, result string) []testID {
	var ids []testID
	for id := range r.output {
		if id.pkg == pkg && id.name != "" && r.results[id] == result {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

func compare(a, b testID) int {
	return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
}

// broken records a failure that no test stands for.
func (r *report) broken(what string, output []byte) {
	r.module().failed = true
	r.results[testID{r.module().name, what}] = "fail"
	r.print("FAIL  ", r.module().name, ": ", what, "\n", string(output), "\n")
}

// fuzzTargets returns those of the current module, known from the run over their committed corpus.
func (r *report) fuzzTargets() []testID {
	var targets []testID
	for id, result := range r.results {
		top := strings.HasPrefix(id.name, "Fuzz") && !strings.Contains(id.name, "/")
		if top && result == "pass" && r.module().packages[id.pkg] {
			targets = append(targets, id)
		}
	}
	slices.SortFunc(targets, compare)
	return targets
}

func (r *report) fuzzed(target testID, output []byte, err error) {
	if err != nil {
		r.broken("fuzz "+target.pkg+" "+target.name, output)
		return
	}
	r.results[testID{target.pkg, "fuzz " + target.name}] = "pass"
}

func (r *report) count(result string) (n int) {
	for _, got := range r.results {
		if got == result {
			n++
		}
	}
	return n
}

// summary prints a line per module and a closing line, and says whether all is well.
func (r *report) summary() bool {
	r.print(fmt.Sprintf("\n%-12s %8s  %-6s  %s\n", "module", "packages", "result", "time"))
	for _, m := range r.rows {
		result := "ok"
		if m.failed {
			result = "FAIL"
		}
		took := m.took.Round(100 * time.Millisecond)
		r.print(fmt.Sprintf("%-12s %8d  %-6s  %s\n", m.name, len(m.packages), result, took))
	}
	failed := r.count("fail")
	r.print(fmt.Sprintf("\n%d passed, %d failed, %d skipped\n", r.count("pass"), failed, r.count("skip")))
	return failed == 0
}
