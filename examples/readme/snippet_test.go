package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// TestRecipesAreInPrograms holds pages of recipes to the programs that they describe: every block of code stands in a file
// of the program.
func TestRecipesAreInPrograms(t *testing.T) {
	t.Parallel()
	programs := map[string]string{"accounts": "accounts", "single-sign-on": "oidc"}
	for _, name := range recipes(t) {
		programs["recipes/"+name] = "recipes/" + name
	}
	for page, program := range programs {
		source := unindented(sources(t, filepath.Join(root, "examples", program)))
		blocks := codeBlocks(readFile(t, filepath.Join(root, "docs", page+".md")))
		if len(blocks) < 2 {
			t.Errorf("docs/%s.md has %d blocks of code", page, len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(source, unindented(block)) {
				t.Errorf("examples/%s does not have this code of docs/%s.md:\n%s", program, page, block)
			}
		}
	}
}

// TestRecipesAreListed looks for each recipe in the index, and for the page to read next at its end.
func TestRecipesAreListed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root, "docs", "recipes")
	index := readFile(t, filepath.Join(dir, "README.md"))
	next := regexp.MustCompile(`\nNext: \[[^\]]+\]\([^)]+\)\.\n$`)
	for _, name := range recipes(t) {
		if !strings.Contains(index, "]("+name+".md)") {
			t.Errorf("docs/recipes/README.md does not link to %s.md", name)
		}
		if !next.MatchString(readFile(t, filepath.Join(dir, name+".md"))) {
			t.Errorf("docs/recipes/%s.md does not end with the page to read next", name)
		}
	}
	programs, err := os.ReadDir(filepath.Join(root, "examples", "recipes"))
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		if name := program.Name(); name != "internal" && !slices.Contains(recipes(t), name) {
			t.Errorf("examples/recipes/%s has no page in docs/recipes", name)
		}
	}
}

// recipes returns the names of the pages in docs/recipes. The program of each has the same name.
func recipes(t *testing.T) (names []string) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(root, "docs", "recipes", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); name != "README" {
			names = append(names, name)
		}
	}
	if len(names) < 5 {
		t.Errorf("docs/recipes has only the pages %q", names)
	}
	return names
}

// sources returns all code in a directory and below it, in Go and for browsers.
func sources(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// codeBlocks returns the blocks of a page that are in Go, or for browsers.
func codeBlocks(page string) (blocks []string) {
	fence := regexp.MustCompile("(?s)\n[ \t]*```(?:go|html|js|css)\n(.*?\n)[ \t]*```")
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
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
