package readme

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// code matches the code of a rule at the start of a test name, such as R4b.
const code = `[A-Z]\d{1,2}[a-z]?`

// TestLegendIsComplete compares the legend in docs/testing.md with the codes in the names of tests, of subtests and of the
// suites' cases: each code is explained, and each explained code is used.
func TestLegendIsComplete(t *testing.T) {
	t.Parallel()
	explained := legend(t, readFile(t, filepath.Join(root, "docs", "testing.md")))
	used := make(map[string]string)
	for path, source := range namedTests(t) {
		for _, c := range codesOf(source) {
			used[c] = path
		}
		if name := wordless(source); name != "" {
			t.Errorf("%s: the name %s consists of a code only; add words that say what is tested", path, name)
		}
	}
	if len(used) < 50 {
		t.Errorf("the tests use %d codes, fewer than there were", len(used))
	}
	for c, path := range used {
		if !slices.Contains(explained, c) {
			t.Errorf("%s has a test whose name begins with the code %s, which docs/testing.md does not explain", path, c)
		}
	}
	for _, c := range explained {
		if used[c] == "" {
			t.Errorf("docs/testing.md explains the code %s, which begins no test's name", c)
		}
	}
}

// TestCodesAreRecognized checks what TestLegendIsComplete takes for a code.
func TestCodesAreRecognized(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"func TestR1LogoutWins(":          "R1",
		"func FuzzR4bLosesNothing(":       "R4b",
		"func BenchmarkC10Parser(":        "C10",
		"func TestD1D2Anonymous(":         "D1 D2",
		"func testR1LogoutWins(":          "",
		"func TestHTTP2Push(":             "",
		"func TestX509Names(":             "",
		`{"H2/Panic", rulePanic`:          "H2",
		`{"H1/Accessor" + name, rule`:     "H1",
		`name: "X7NeverReturned", run: f`: "X7",
		`"S5 next version": {damage`:      "S5",
		`"A1", "P256", "P1D", "H2O"`:      "",
	} {
		if got := strings.Join(codesOf(source), " "); got != want {
			t.Errorf("%s has the codes %q, want %q", source, got, want)
		}
	}
	for source, want := range map[string]string{
		"func TestR1(t *testing.T)":    "R1",
		`t.Run("O5", func`:             "O5",
		`t.Run("O5Faults", func`:       "",
		"func TestR1Wins(t *testing.T": "",
	} {
		if got := wordless(source); got != want {
			t.Errorf("%s has the wordless name %q, want %q", source, got, want)
		}
	}
}

// legend returns the codes that the page explains, each in a table row with a sentence.
func legend(t *testing.T, page string) (codes []string) {
	t.Helper()
	row := regexp.MustCompile(`(?m)^\| (` + code + `) \| (.*) \|$`)
	for _, m := range row.FindAllStringSubmatch(page, -1) {
		if slices.Contains(codes, m[1]) {
			t.Errorf("docs/testing.md explains the code %s twice", m[1])
		}
		if !strings.HasSuffix(m[2], ".") || !strings.Contains(m[2], " ") {
			t.Errorf("docs/testing.md explains the code %s by %q, which is not a sentence", m[1], m[2])
		}
		codes = append(codes, m[1])
	}
	return codes
}

// codesOf returns the codes at the start of names in a source file: of functions that are tests, and of string literals.
func codesOf(source string) (codes []string) {
	function := regexp.MustCompile(`func (?:Test|Fuzz|Benchmark)((?:` + code + `)+)[A-Z]`)
	literal := regexp.MustCompile(`"(` + code + `)(?:/?[A-Z][a-z]| [a-z])`)
	for _, names := range []*regexp.Regexp{function, literal} {
		for _, m := range names.FindAllStringSubmatch(source, -1) {
			codes = append(codes, regexp.MustCompile(code).FindAllString(m[1], -1)...)
		}
	}
	return codes
}

// wordless returns the name of a test or subtest that consists of a code only, or an empty string.
func wordless(source string) string {
	m := regexp.MustCompile(`(?:func (?:Test|Fuzz|Benchmark)|Run\(")(` + code + `)["(]`).FindStringSubmatch(source)
	if m == nil {
		return ""
	}
	return m[1]
}

// namedTests returns the sources that name tests or cases, by path, without this file.
func namedTests(t *testing.T) map[string]string {
	t.Helper()
	sources := make(map[string]string)
	suite := regexp.MustCompile(`/(storetest|adaptertest|faulttest|stress)/[^/]+\.go$`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		slashed := filepath.ToSlash(path)
		if strings.HasSuffix(slashed, "/readme/legend_test.go") || err != nil {
			return err
		}
		if strings.HasSuffix(slashed, "_test.go") || suite.MatchString(slashed) {
			sources[path] = readFile(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}
