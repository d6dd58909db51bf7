package main

import (
	"strings"
	"testing"
)

// play feeds a report with events and returns it with what it printed.
func play(events ...string) (*report, *strings.Builder) {
	var out strings.Builder
	r := newReport(&out)
	r.begin("demo")
	r.read(strings.NewReader(strings.Join(events, "\n")))
	return r, &out
}

func expect(t *testing.T, r *report, out *strings.Builder, closing string) {
	t.Helper()
	ok := r.summary()
	if !strings.HasSuffix(out.String(), "\n"+closing+"\n") {
		t.Errorf("want %q at the end of\n%s", closing, out)
	}
	if want := strings.Contains(closing, " 0 failed"); ok != want {
		t.Errorf("summary() = %v, want %v", ok, want)
	}
}

func TestFailureShowsItsOutput(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"run","Package":"p","Test":"TestGood"}`,
		`{"Action":"output","Package":"p","Test":"TestGood","Output":"quiet\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestGood"}`,
		`{"Action":"run","Package":"p","Test":"TestBad"}`,
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"loud\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestBad"}`,
		`{"Action":"fail","Package":"p"}`,
	)
	expect(t, r, out, "1 passed, 1 failed, 0 skipped")
	if !strings.Contains(out.String(), "loud") || strings.Contains(out.String(), "quiet") {
		t.Errorf("want the output of the failed test alone:\n%s", out)
	}
}

func TestPanicFailsWhatWasRunning(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"run","Package":"p","Test":"TestWaiting"}`,
		`{"Action":"pause","Package":"p","Test":"TestWaiting"}`,
		`{"Action":"run","Package":"p","Test":"TestCut"}`,
		`{"Action":"pause","Package":"p","Test":"TestCut"}`,
		`{"Action":"cont","Package":"p","Test":"TestCut"}`,
		`{"Action":"output","Package":"p","Test":"TestCut","Output":"panic: cut\n"}`,
		`{"Action":"fail","Package":"p"}`,
	)
	expect(t, r, out, "0 passed, 1 failed, 0 skipped")
	if !strings.Contains(out.String(), "panic: cut") {
		t.Errorf("want the panic:\n%s", out)
	}
}

func TestBrokenBuildIsOneFailure(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"build-output","ImportPath":"p","Output":"syntax error\n"}`,
		`{"Action":"build-fail","ImportPath":"p"}`,
		`{"Action":"fail","Package":"p","FailedBuild":"p"}`,
	)
	expect(t, r, out, "0 passed, 1 failed, 0 skipped")
	if !strings.Contains(out.String(), "syntax error") {
		t.Errorf("want the compiler's words:\n%s", out)
	}
}

func TestSkippedThenPassedHasPassed(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"skip","Package":"p","Test":"TestAlloc"}`,
		`{"Action":"output","Package":"p","Test":"TestTool","Output":"=== RUN   TestTool\n"}`,
		`{"Action":"output","Package":"p","Test":"TestTool","Output":"    a_test.go:1: no tool\n"}`,
		`{"Action":"output","Package":"p","Test":"TestTool","Output":"--- SKIP: TestTool (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestTool"}`,
		`{"Action":"pass","Package":"p"}`,
		`{"Action":"pass","Package":"p","Test":"TestAlloc"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	expect(t, r, out, "1 passed, 0 failed, 1 skipped")
	if !strings.Contains(out.String(), "skip  TestTool: a_test.go:1: no tool\n") {
		t.Errorf("want the reason of the skip:\n%s", out)
	}
}

func TestFailureIsNotForgotten(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"fail","Package":"p","Test":"TestAlloc"}`,
		`{"Action":"fail","Package":"p"}`,
		`{"Action":"pass","Package":"p","Test":"TestAlloc"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	expect(t, r, out, "0 passed, 1 failed, 0 skipped")
}

func TestFuzzTargetsAreTheModulesOwn(t *testing.T) {
	t.Parallel()
	r, _ := play(
		`{"Action":"pass","Package":"p","Test":"FuzzToken"}`,
		`{"Action":"pass","Package":"p","Test":"FuzzToken/seed#0"}`,
		`{"Action":"pass","Package":"p","Test":"TestFuzz"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	if got := r.fuzzTargets(); len(got) != 1 || got[0].name != "FuzzToken" {
		t.Errorf("fuzzTargets() = %v, want FuzzToken alone", got)
	}
	r.begin("other")
	if got := r.fuzzTargets(); len(got) != 0 {
		t.Errorf("fuzzTargets() = %v in another module, want none", got)
	}
}

func TestInterruptedIsNotAFinding(t *testing.T) {
	t.Parallel()
	if !interrupted([]byte("--- FAIL: FuzzX (5.01s)\n    context deadline exceeded\n")) {
		t.Error("a missed deadline must be tried again")
	}
	if interrupted([]byte("context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzX/1\n")) {
		t.Error("a failing input must count")
	}
}
