package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// report collects the results of modules that are tested side by side.
type report struct {
	mu      sync.Mutex // held while a text is written
	w       io.Writer
	modules []*results // in the order of the summary
}

func newReport(w io.Writer) *report { return &report{w: w} }

// add returns the results of another module. It is not safe for concurrent use; what it returns is
// for one goroutine.
func (r *report) add(name string) *results {
	m := newResults(name, r.write)
	r.modules = append(r.modules, m)
	return m
}

// write does not look at the error: there is nobody else to tell.
func (r *report) write(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = io.WriteString(r.w, text)
}

func (r *report) count(result string) (n int) {
	for _, m := range r.modules {
		n += m.count(result)
	}
	return n
}

// summary prints a line per module and a closing line, and says whether all is well.
func (r *report) summary() bool {
	const line = "%-26s %8v  %-7s  %v\n"
	r.write(fmt.Sprintf("\n"+line, "module", "packages", "result", "time"))
	for _, m := range r.modules {
		result := "ok"
		switch {
		case m.failed:
			result = "FAIL"
		case !m.complete:
			result = "not run"
		}
		took := m.took.Round(100 * time.Millisecond)
		r.write(fmt.Sprintf(line, m.name, len(m.packages), result, took))
	}
	failed := r.count("fail")
	r.write(fmt.Sprintf("\n%d passed, %d failed, %d skipped\n", r.count("pass"), failed, r.count("skip")))
	return failed == 0
}
