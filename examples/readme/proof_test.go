package readme

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProofsExist looks for each test that the pages name as a proof.
func TestProofsExist(t *testing.T) {
	t.Parallel()
	all := testSources(t)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
	faultTest := regexp.MustCompile("fault test `(\\w+)`")
	for page, atLeast := range map[string]int{"README.md": 15, "docs/security.md": 40, "docs/stores.md": 10} {
		text := readFile(t, filepath.Join(root, page))
		named := name.FindAllStringSubmatch(text, -1)
		if len(named) < atLeast {
			t.Errorf("%s names %d tests, fewer than there were", page, len(named))
		}
		for _, m := range named {
			if !strings.Contains(all, "func "+m[1]+"(") {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
		for _, m := range faultTest.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(all, "\""+m[1]+"\":") && !strings.Contains(all, "t.Run(\""+m[1]+"\",") &&
				!strings.Contains(all, "func "+m[1]+"(") {
				t.Errorf("%s names the fault test %s, which is not there", page, m[1])
			}
		}
	}
}

// testSources returns all source of the repository that tests.
func testSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".go") && strings.Contains(path, "faulttest") {
			all.WriteString(readFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
