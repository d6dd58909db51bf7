package readme

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programs returns where the code of pages of recipes stands: in these files, and in all of these folders.
func programs(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{
		"docs/accounts.md":       {"examples/accounts"},
		"docs/single-sign-on.md": {"examples/oidc"},
		"docs/guards.md":         {"examples/guards"},
		"docs/migrating.md":      {"examples/migrate", "core/fiberstore/example_test.go"},
	}
	maps.DeleteFunc(all, func(page string, _ []string) bool {
		_, err := os.Stat(filepath.Join(root, page))
		return errors.Is(err, fs.ErrNotExist)
	})
	for _, name := range recipes(t) {
		all["docs/recipes/"+name+".md"] = []string{"examples/recipes/" + name}
	}
	return all
}

// TestRecipesAreInPrograms holds pages of recipes to the programs that they describe: every block of code stands in a file
// of the program.
func TestRecipesAreInPrograms(t *testing.T) {
	t.Parallel()
	for page, places := range programs(t) {
		var source strings.Builder
		for _, place := range places {
			source.WriteString(unindented(sources(t, filepath.Join(root, place))) + "\n")
		}
		blocks := codeBlocks(readFile(t, filepath.Join(root, page)))
		if len(blocks) < 2 {
			t.Errorf("%s has %d blocks of code", page, len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(source.String(), unindented(block)) {
				t.Errorf("%v do not have this code of %s:\n%s", places, page, block)
			}
		}
	}
}

// TestRecipesAreListed looks for each recipe in the index, and for the page to read next at its end.
func TestRecipesAreListed(t *testing.T) {
	t.Parallel()
	if len(recipes(t)) == 0 {
		t.Skip("there are no recipes")
	}
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
	dir := filepath.Join(root, "docs", "recipes")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
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

// sources returns all code in a file, or in a directory and below it, in Go and for browsers.
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
