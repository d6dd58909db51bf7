package readme

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The prefixes of absolute links to files of this repository.
const (
	blob = "https://github.com/cloakroom-go/sessions/blob/main/"
	raw  = "https://raw.githubusercontent.com/cloakroom-go/sessions/main/"
)

// TestLinksLeadSomewhere follows the links of every page to files of this repository, and their anchors.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, page := range append(pages(t), "llms.txt") {
		for _, m := range link.FindAllStringSubmatch(withoutCode(readFile(t, filepath.Join(root, page))), -1) {
			if err := follow(t, page, m[1]); err != nil {
				t.Errorf("%s links to %s, %v", page, m[1], err)
			}
			checked++
		}
	}
	if checked < 200 {
		t.Errorf("found only %d links", checked)
	}
}

// follow looks for the file and the heading that a link on a page names. Links to elsewhere are not followed.
func follow(t *testing.T, page, link string) error {
	t.Helper()
	name, anchor, _ := strings.Cut(link, "#")
	target := path.Join(path.Dir(page), name)
	switch {
	case strings.HasPrefix(name, blob):
		target = strings.TrimPrefix(name, blob)
	case strings.HasPrefix(name, raw):
		target = strings.TrimPrefix(name, raw)
	case strings.Contains(name, "://"):
		return nil
	case name == "":
		target = page
	}
	file := filepath.Join(root, target)
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("which is not there: %w", err)
	}
	if anchor != "" && !slices.Contains(anchors(readFile(t, file)), anchor) {
		return fmt.Errorf("but that page has no such heading")
	}
	return nil
}

// TestFollowFindsFaults gives follow links that lead nowhere.
func TestFollowFindsFaults(t *testing.T) {
	t.Parallel()
	for link, good := range map[string]bool{
		"stores.md": true, "../README.md": true, "stores.md#memcached": true, "#no-such-heading": false,
		"no-such-page.md": false, "stores.md#no-such-heading": false, blob + "docs/no-such-page.md": false,
		blob + "docs/stores.md": true, raw + "README.md": true, "https://example.com/": true,
	} {
		if err := follow(t, "docs/stores.md", link); (err == nil) != good {
			t.Errorf("%s: %v", link, err)
		}
	}
}

// pages returns the Markdown files of the repository, from its root.
func pages(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && file != root && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(file, ".md") {
			page, err := filepath.Rel(root, file)
			all = append(all, filepath.ToSlash(page))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Fatalf("found only %d pages: %v", len(all), all)
	}
	return all
}

// withoutCode takes the fenced blocks out, where brackets are not links.
func withoutCode(page string) string {
	var out strings.Builder
	code := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			out.WriteString(line)
		}
	}
	return out.String()
}

// anchors returns the anchors of a page's headings by GitHub's rule.
func anchors(page string) (all []string) {
	drop := regexp.MustCompile(`[^a-z0-9 _-]`)
	seen := make(map[string]int)
	for line := range strings.Lines(withoutCode(page)) {
		heading := strings.TrimLeft(line, "#")
		if heading == line {
			continue
		}
		anchor := strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), ""), " ", "-")
		if n := seen[anchor]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			all = append(all, anchor)
		}
		seen[anchor]++
	}
	return all
}

// TestPagesEndWithTheNext checks that each page of docs ends with a link to the one to read after it, or, if it is the last
// one, to the overview.
func TestPagesEndWithTheNext(t *testing.T) {
	t.Parallel()
	next := regexp.MustCompile(`\n\nNext: .*\[.+\]\(.+\).*\n$`)
	for _, page := range pages(t) {
		if path.Dir(page) == "docs" && !next.MatchString(readFile(t, filepath.Join(root, page))) {
			t.Errorf("%s does not end with a paragraph %q", page, "Next: [title](page.md) ...")
		}
	}
}
