package readme

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippet is a block of Go on a page.
type snippet struct {
	page, code string
	line       int
	// adapter and names are from the comment before the block, such as
	//
	//	<!-- snippet: fiberv3; conn *websocket.Conn; handle func(string) -->
	//
	// which says what the block takes for granted. Without one it is for Gin.
	adapter string
	names   []string
}

// excerpts returns the files that a page takes its code from.
func excerpts(page string) []string {
	switch page {
	case "docs/accounts.md":
		return []string{"examples/accounts/main.go"}
	case "docs/single-sign-on.md":
		return []string{"examples/oidc/main.go"}
	case "docs/observability.md":
		return []string{"core/otelsessions/tests/example_test.go"}
	case "docs/testing-your-application.md":
		var files []string
		for _, framework := range frameworks() {
			files = append(files, framework+"/example_sessiontest_test.go")
		}
		return files
	}
	return nil
}

// elsewhere reports whether TestRecipesAreInPrograms checks the blocks of a page.
func elsewhere(page string) bool { return path.Dir(page) == "docs/recipes" }

// TestSnippetsCompile checks every block of Go on every page: it stands in the files that the page takes its code from, indented as
// it may be, or it compiles.
func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	c := newChecker(t)
	blocks := 0
	for _, page := range pages(t) {
		if elsewhere(page) {
			continue
		}
		var sources strings.Builder
		for _, file := range excerpts(page) {
			sources.WriteString(unindented(readFile(t, filepath.Join(root, file))))
		}
		for _, s := range snippets(page, readFile(t, filepath.Join(root, page))) {
			blocks++
			if sources.Len() > 0 && strings.Contains(sources.String(), uncommented(unindented(s.code))) {
				continue
			}
			if err := c.check(s); err != nil {
				t.Errorf("%s:%d is no excerpt of %v and does not compile: %v\n%s", s.page, s.line, excerpts(page), err, s.code)
			}
		}
	}
	if blocks < 60 {
		t.Errorf("found only %d blocks of Go", blocks)
	}
}

// snippets returns the blocks of Go on a page. Blocks may be indented, as in a list.
func snippets(page, text string) (all []snippet) {
	marker := regexp.MustCompile(`^\s*<!-- snippet: (.*) -->$`)
	var s *snippet
	adapter, names, indent := "gin", []string(nil), ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case s != nil && trimmed == "```":
			all, s = append(all, *s), nil
			adapter, names = "gin", nil
		case s != nil:
			s.code += strings.TrimPrefix(line, indent) + "\n"
		case trimmed == "```go":
			s = &snippet{page: page, line: i + 1, adapter: adapter, names: names}
			indent, _, _ = strings.Cut(line, "`")
		default:
			if m := marker.FindStringSubmatch(line); m != nil {
				names = strings.Split(m[1], "; ")
				adapter, names = names[0], names[1:]
			}
		}
	}
	return all
}

// TestSnippetsAreFound checks how blocks and their comments are read.
func TestSnippetsAreFound(t *testing.T) {
	t.Parallel()
	const page = "```go\na\n\tb\n```\n```sh\nls\n```\n<!-- snippet: fiber; x int; y bool -->\n- x\n\n  ```go\n  c\n  ```\n\n```go\nd\n```\n"
	got := snippets("p", page)
	if len(got) != 3 {
		t.Fatalf("%d blocks: %+v", len(got), got)
	}
	for i, want := range []snippet{
		{code: "a\n\tb\n", line: 1, adapter: "gin"},
		{code: "c\n", line: 11, adapter: "fiber", names: []string{"x int", "y bool"}},
		{code: "d\n", line: 15, adapter: "gin"},
	} {
		s := got[i]
		if s.code != want.code || s.line != want.line || s.adapter != want.adapter || !slices.Equal(s.names, want.names) {
			t.Errorf("block %d: %+v, want %+v", i, s, want)
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
