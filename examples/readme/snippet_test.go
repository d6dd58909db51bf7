package readme

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSnippetsAreInExamples makes sure that the code on the page about testing an application is code that runs: each block
// stands in one of the frameworks' example tests, indented as it may be.
func TestSnippetsAreInExamples(t *testing.T) {
	t.Parallel()
	var examples strings.Builder
	for _, framework := range []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} {
		examples.WriteString(unindented(readFile(t, filepath.Join(root, framework, "example_sessiontest_test.go"))))
	}
	blocks := strings.Split(readFile(t, filepath.Join(root, "docs", "testing-your-application.md")), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("the page shows no code")
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(examples.String(), uncommented(unindented(block))) {
			t.Errorf("no example test has this code of the page:\n%s", block)
		}
	}
}

// TestRecipesAreInPrograms holds pages of recipes to the programs that they describe: every block of Go stands there.
func TestRecipesAreInPrograms(t *testing.T) {
	t.Parallel()
	for page, program := range map[string]string{"accounts": "accounts", "single-sign-on": "oidc"} {
		source := unindented(readFile(t, filepath.Join(root, "examples", program, "main.go")))
		blocks := strings.Split(readFile(t, filepath.Join(root, "docs", page+".md")), "```go\n")[1:]
		if len(blocks) < 7 {
			t.Errorf("docs/%s.md has %d blocks of Go", page, len(blocks))
		}
		for _, block := range blocks {
			block, _, _ = strings.Cut(block, "```")
			if !strings.Contains(source, unindented(block)) {
				t.Errorf("examples/%s does not have this code of docs/%s.md:\n%s", program, page, block)
			}
		}
	}
}

// TestGuidesAreInBridges does the same for the page about moving from other libraries, whose code stands in several places.
func TestGuidesAreInBridges(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "examples", "migrate", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(root, "core", "fiberstore", "example_test.go"))
	var source strings.Builder
	for _, file := range files {
		source.WriteString(unindented(readFile(t, file)) + "\n")
	}
	blocks := strings.Split(readFile(t, filepath.Join(root, "docs", "migrating.md")), "```go\n")[1:]
	if len(blocks) < 10 {
		t.Errorf("docs/migrating.md has %d blocks of Go", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(source.String(), unindented(block)) {
			t.Errorf("no bridge has this code of docs/migrating.md:\n%s", block)
		}
	}
}

// unindented returns the lines without the space before them.
func unindented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

// uncommented returns a block of one line without the remark behind it.
func uncommented(block string) string {
	if strings.Count(block, "\n") > 1 {
		return block
	}
	code, _, _ := strings.Cut(block, " // ")
	return strings.TrimSpace(code)
}
