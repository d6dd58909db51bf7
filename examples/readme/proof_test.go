package readme

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProofsExist looks for each test that the page on security names.
func TestProofsExist(t *testing.T) {
	t.Parallel()
	all := testSources(t)
	name := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
	faultTest := regexp.MustCompile("fault test `(\\w+)`")
	page := readFile(t, filepath.Join(root, "docs", "security.md"))
	named := name.FindAllStringSubmatch(page, -1)
	if len(named) < 40 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, m := range named {
		if !strings.Contains(all, "func "+m[1]+"(") {
			t.Errorf("docs/security.md names %s, which is not there", m[1])
		}
	}
	for _, m := range faultTest.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(all, "\""+m[1]+"\":") && !strings.Contains(all, "t.Run(\""+m[1]+"\",") &&
			!strings.Contains(all, "func "+m[1]+"(") {
			t.Errorf("docs/security.md names the fault test %s, which is not there", m[1])
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
