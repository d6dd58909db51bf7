package readme

import (
	"path/filepath"
	"reflect"
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
	// files are those of which the block is an excerpt, as a comment says: for one block
	//
	//	<!-- snippet: in examples/oidc/main.go -->
	//
	// or, with "snippets", for all blocks after it.
	files []string
}

// excerpts returns the files that a page takes its code from, unless it is a page of recipes.
func excerpts(page string) []string {
	switch page {
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

// TestSnippetsCompile checks every block of Go on every page: it stands in one of the files that the page takes its code from, however
// it is indented, or if there are none, it compiles.
func TestSnippetsCompile(t *testing.T) {
	t.Parallel()
	c, recipes := newChecker(t), programs(t)
	blocks := 0
	for _, page := range pages(t) {
		if recipes[page] != nil { // TestRecipesAreInPrograms
			continue
		}
		for _, s := range snippets(page, readFile(t, filepath.Join(root, page))) {
			blocks++
			if s.files == nil {
				s.files = excerpts(page)
			}
			if s.files != nil {
				if !s.excerpt(t) {
					t.Errorf("%s:%d is no excerpt of %v:\n%s", s.page, s.line, s.files, s.code)
				}
			} else if err := c.check(s); err != nil {
				t.Errorf("%s:%d does not compile: %v\n%s", s.page, s.line, err, s.code)
			}
		}
	}
	if blocks < 35 {
		t.Errorf("found only %d blocks of Go", blocks)
	}
}

// excerpt reports whether the block stands in one of its files.
func (s *snippet) excerpt(t *testing.T) bool {
	t.Helper()
	return slices.ContainsFunc(s.files, func(file string) bool {
		return strings.Contains(unindented(readFile(t, filepath.Join(root, file))), uncommented(unindented(s.code)))
	})
}

// snippets returns the blocks of Go on a page. Blocks may be indented, as in a list.
func snippets(page, text string) (all []snippet) {
	marker := regexp.MustCompile(`^\s*<!-- (snippets?): (.*) -->$`)
	next := snippet{page: page, adapter: "gin"}
	blank, s, indent := next, (*snippet)(nil), ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case s != nil && trimmed == "```":
			all, s, next = append(all, *s), nil, blank
		case s != nil:
			s.code += strings.TrimPrefix(line, indent) + "\n"
		case trimmed == "```go":
			s, next.line = &next, i+1
			indent, _, _ = strings.Cut(line, "`")
		default:
			m := marker.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			next.describe(m[2])
			if m[1] == "snippets" {
				blank = next
			}
		}
	}
	return all
}

// describe takes over what a comment says about the next block.
func (s *snippet) describe(comment string) {
	if files, ok := strings.CutPrefix(comment, "in "); ok {
		s.files = strings.Split(files, ", ")
		return
	}
	names := strings.Split(comment, "; ")
	s.adapter, s.names = names[0], names[1:]
}

// TestSnippetsAreFound checks how blocks and their comments are read.
func TestSnippetsAreFound(t *testing.T) {
	t.Parallel()
	const page = "```go\na\n\tb\n```\n```sh\nls\n```\n<!-- snippet: fiber; x int; y bool -->\n- x\n\n  ```go\n  c\n  ```\n\n" +
		"```go\nd\n```\n<!-- snippet: in x.go, y.go -->\n```go\ne\n```\n<!-- snippets: in z.go -->\n```go\nf\n```\n```go\ng\n```\n"
	got := snippets("p", page)
	if len(got) != 6 {
		t.Fatalf("%d blocks: %+v", len(got), got)
	}
	for i, want := range []snippet{
		{code: "a\n\tb\n", line: 1, adapter: "gin"},
		{code: "c\n", line: 11, adapter: "fiber", names: []string{"x int", "y bool"}},
		{code: "d\n", line: 15, adapter: "gin"},
		{code: "e\n", line: 19, adapter: "gin", files: []string{"x.go", "y.go"}},
		{code: "f\n", line: 23, adapter: "gin", files: []string{"z.go"}},
		{code: "g\n", line: 26, adapter: "gin", files: []string{"z.go"}},
	} {
		want.page = "p"
		if s := got[i]; !reflect.DeepEqual(s, want) {
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
