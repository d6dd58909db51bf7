package readme

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestQuotationsAreTrue looks for each message that docs/mistakes.md quotes in the source of the library.
func TestQuotationsAreTrue(t *testing.T) {
	t.Parallel()
	page := readFile(t, filepath.Join(root, "docs", "mistakes.md"))
	said, quotation := messages(t), regexp.MustCompile("^\\| (`.*?`(?: with `.*?`)?) \\|")
	part, quoted := "", 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "## ") {
			part = strings.TrimSpace(line)
		}
		m := quotation.FindStringSubmatch(line)
		if m == nil || part != "## Refused at the start" && part != "## Reported while it runs" {
			continue
		}
		for text := range strings.SplitSeq(m[1], " with ") {
			quoted++
			if !strings.Contains(said, strings.Trim(text, "`")) {
				t.Errorf("%s: the library does not say %s", part, text)
			}
		}
	}
	if quoted < 20 {
		t.Errorf("found only %d quotations", quoted)
	}
}

// messages returns all strings in the source of the library, with those that are added up in one piece.
func messages(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range append(frameworks(), "core") {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				text, ok := sum(n)
				all.WriteString(text + "\n")
				return !ok
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// sum returns the text of a string, or of several that are added up.
func sum(n ast.Node) (text string, ok bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if n.Kind == token.STRING {
			text, err := strconv.Unquote(n.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		x, okX := sum(n.X)
		y, okY := sum(n.Y)
		return x + y, okX && okY && n.Op == token.ADD
	}
	return "", false
}
