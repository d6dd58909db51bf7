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

// results are those of one module. They are printed as they come: a line per package, and all the output of what failed.
// Text is held back until the package that it belongs to is complete, because other modules print as well.
type results struct {
	name     string
	write    func(text string)
	pending  strings.Builder
	packages map[string]bool
	failed   bool
	complete bool // all stages are over
	took     time.Duration
	tests    map[testID]string   // the last action: "pass", "fail" or "skip" in the end
	output   map[testID][]string // of the packages that run now
}

func newResults(name string, write func(text string)) *results {
	return &results{
		name: name, write: write, packages: map[string]bool{}, tests: map[testID]string{}, output: map[testID][]string{},
	}
}

// end prints what is left.
func (r *results) end(took time.Duration) {
	r.complete, r.took = true, took
	r.flush()
}

func (r *results) progress(format string, args ...any) {
	r.print("== ", r.name, ": ", fmt.Sprintf(format, args...), "\n")
	r.flush()
}

func (r *results) print(text ...string) {
	for _, t := range text {
		r.pending.WriteString(t)
	}
}

// flush writes what is complete.
func (r *results) flush() {
	if r.pending.Len() > 0 {
		r.write(r.pending.String())
		r.pending.Reset()
	}
}

// read takes the output of `go test -json` to its end and says whether it told of a failure.
func (r *results) read(events io.Reader) (failed bool) {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		failed = r.line(line) || failed
		if err != nil {
			return failed
		}
	}
}

func (r *results) line(line string) (failed bool) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		r.print(line) // Not an event: nothing may get lost.
		return false
	}
	r.add(&e)
	return e.Action == "fail"
}

func (r *results) add(e *event) {
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

// testDone keeps the last word on a test, so that an allocation test skipped under the race detector and passed without
// it has passed. A failure stays.
func (r *results) testDone(id testID, result string) {
	if r.tests[id] != "fail" {
		r.tests[id] = result
	}
}

func (r *results) packageDone(e *event) {
	r.packages[e.Package] = true
	r.abandon(e.Package)
	if e.Action == "fail" {
		r.packageFailed(e)
	} else if r.ran(e.Package) {
		r.print(fmt.Sprintf("ok    %6.1fs  %s\n", e.Elapsed, e.Package))
	}
	r.skipped(e.Package)
	maps.DeleteFunc(r.output, func(id testID, _ []string) bool { return id.pkg == e.Package })
	r.flush()
}

func (r *results) packageFailed(e *event) {
	id := testID{pkg: e.Package}
	r.failed = true
	r.print(fmt.Sprintf("FAIL  %6.1fs  %s\n", e.Elapsed, e.Package))
	for _, id := range r.ended(e.Package, "fail") {
		r.print(r.output[id]...)
	}
	r.print(r.output[id]...)
	if !r.anyFailed(e.Package) {
		r.tests[id] = "fail" // It did not compile, or ended outside a test.
	}
}

// ran says whether any test has started; a package without tests is not worth a line.
func (r *results) ran(pkg string) bool {
	for id := range r.output {
		if id.pkg == pkg && id.name != "" {
			return true
		}
	}
	return false
}

// abandon counts tests that were running when a panic or a timeout ended the package as failed; those that waited for
// their turn ("pause") count as nothing.
func (r *results) abandon(pkg string) {
	for id, result := range r.tests {
		if id.pkg == pkg && (result == "run" || result == "cont") {
			r.tests[id] = "fail"
		}
	}
}

func (r *results) anyFailed(pkg string) bool {
	for id, result := range r.tests {
		if id.pkg == pkg && result == "fail" {
			return true
		}
	}
	return false
}

// skipped prints a line for each skipped test, with the reason it gave.
func (r *results) skipped(pkg string) {
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
func (r *results) ended(pkg, result string) []testID {
	var ids []testID
	for id := range r.output {
		if id.pkg == pkg && id.name != "" && r.tests[id] == result {
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
func (r *results) broken(what string, output []byte) {
	r.failed = true
	r.tests[testID{r.name, what}] = "fail"
	r.print("FAIL  ", r.name, ": ", what, "\n", string(output), "\n")
	r.flush()
}

// fuzzTargets returns those of the module, known from the run over their committed corpus.
func (r *results) fuzzTargets() []testID {
	var targets []testID
	for id, result := range r.tests {
		top := strings.HasPrefix(id.name, "Fuzz") && !strings.Contains(id.name, "/")
		if top && result == "pass" && r.packages[id.pkg] {
			targets = append(targets, id)
		}
	}
	slices.SortFunc(targets, compare)
	return targets
}

func (r *results) fuzzed(target testID, output []byte, err error) {
	if err != nil {
		r.broken("fuzz "+target.pkg+" "+target.name, output)
		return
	}
	r.tests[testID{target.pkg, "fuzz " + target.name}] = "pass"
}

func (r *results) count(result string) (n int) {
	for _, got := range r.tests {
		if got == result {
			n++
		}
	}
	return n
}
