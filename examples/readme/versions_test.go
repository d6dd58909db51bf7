package readme

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFrameworkVersions compares the table of frameworks in docs/adapters.md with what the modules require.
func TestFrameworkVersions(t *testing.T) {
	t.Parallel()
	page := readFile(t, filepath.Join(root, "docs", "adapters.md"))
	for module, required := range map[string]struct{ in, path string }{
		"gin":     {"gin", "github.com/gin-gonic/gin"},
		"echov5":  {"echov5", "github.com/labstack/echo/v5"},
		"echo":    {"echo", "github.com/labstack/echo/v4"},
		"fiberv3": {"fiberv3", "github.com/gofiber/fiber/v3"},
		"fiber":   {"fiber", "github.com/gofiber/fiber/v2"},
		"nethttp": {"nethttp/tests", "github.com/go-chi/chi/v5"},
	} {
		mod := readFile(t, filepath.Join(root, required.in, "go.mod"))
		version := submatch(t, mod, regexp.QuoteMeta(required.path)+` (v\S+)`)
		language := submatch(t, mod, `(?m)^go (\d+\.\d+)`)
		row := submatch(t, page, "(?m)^(\\| `"+module+"` \\|.*)$")
		if !strings.Contains(row, " "+version+" | "+language+" |") {
			t.Errorf("%s is tested with %s and needs Go %s, but docs/adapters.md says\n%s", module, version, language, row)
		}
	}
}

// submatch returns what the group of the pattern matches in text.
func submatch(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("nothing matches %s", pattern)
	}
	return found[1]
}
