package main

import (
	"regexp"
	"strings"
	"testing"
)

// play feeds a module of a report with events and returns the report with what it printed.
func play(events ...string) (*report, *strings.Builder) {
	var out strings.Builder
	r := newReport(&out)
	feed(r.add("demo"), events...)
	return r, &out
}

func feed(m *results, events ...string) { m.read(strings.NewReader(strings.Join(events, "\n"))) }

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
	if got := r.modules[0].fuzzTargets(); len(got) != 1 || got[0].name != "FuzzToken" {
		t.Errorf("fuzzTargets() = %v, want FuzzToken alone", got)
	}
	if got := r.add("other").fuzzTargets(); len(got) != 0 {
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

func TestModulesAreSummedUp(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"skip","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	feed(r.add("other"),
		`{"Action":"fail","Package":"q","Test":"TestA"}`,
		`{"Action":"fail","Package":"q"}`,
	)
	expect(t, r, out, "1 passed, 1 failed, 1 skipped")
	for _, want := range []string{"\ndemo  ", "\nother  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want a line of the module %q:\n%s", want, out)
		}
	}
}

// What two modules print at the same time is told apart: nothing of a package appears before the package is complete.
func TestModulesSideBySideAreNotMixed(t *testing.T) {
	t.Parallel()
	r, out := play(
		`{"Action":"build-output","ImportPath":"p","Output":"# p\n"}`,
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"one\n"}`,
	)
	other := r.add("other")
	other.progress("race")
	feed(other, `{"Action":"fail","Package":"q","Test":"TestC"}`, `not an event`)
	feed(r.modules[0],
		`{"Action":"output","Package":"p","Test":"TestBad","Output":"two\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestBad"}`,
		`{"Action":"fail","Package":"p","Elapsed":1.5}`,
	)
	feed(other, `{"Action":"fail","Package":"q","Elapsed":2}`)
	want := "== other: race\n" +
		"# p\nFAIL     1.5s  p\none\ntwo\n" +
		"not an event" + "FAIL     2.0s  q\n"
	if out.String() != want {
		t.Errorf("output is\n%s\nwant\n%s", out, want)
	}
}

func TestWhatIsHeldBackIsPrintedAtTheEnd(t *testing.T) {
	t.Parallel()
	r, out := play("panic: out of memory\n")
	r.modules[0].end(0)
	if out.String() != "panic: out of memory\n" {
		t.Errorf("output is %q", out)
	}
}

func TestInterruptedModuleIsNotOK(t *testing.T) {
	t.Parallel()
	r, out := play(`{"Action":"pass","Package":"p"}`)
	r.modules[0].end(0)
	r.add("later")
	r.summary()
	if !regexp.MustCompile(`(?m)^demo +1  ok .*\nlater +0  not run `).MatchString(out.String()) {
		t.Errorf("want demo to be ok, and the module that was not reached not to be:\n%s", out)
	}
}
