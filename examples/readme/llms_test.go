package readme

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLLMSTextIsComplete holds llms.txt to the form that https://llmstxt.org describes, and to having every page of docs.
// TestLinksLeadSomewhere follows its links.
func TestLLMSTextIsComplete(t *testing.T) {
	t.Parallel()
	text := readFile(t, filepath.Join(root, "llms.txt"))
	for _, fault := range faultsOfLLMS(text) {
		t.Error("llms.txt: " + fault)
	}
	for _, page := range pages(t) {
		if (page == "README.md" || strings.HasPrefix(page, "docs/")) && !strings.Contains(text, "]("+raw+page+"): ") {
			t.Errorf("llms.txt lacks %s", page)
		}
	}
}

// faultsOfLLMS says where a text departs from the form: a title, a summary as a quotation, further text without headings, then
// sections of links with a remark each.
func faultsOfLLMS(text string) (faults []string) {
	head, sections, ok := strings.Cut(text, "\n## ")
	if !regexp.MustCompile(`^# [^\n]+\n\n(> [^\n]+\n)+`).MatchString(head) {
		faults = append(faults, "it does not begin with a title and a quotation")
	}
	if !ok || strings.Contains(head, "\n#") {
		faults = append(faults, "its second heading is no section of links")
	}
	link := regexp.MustCompile(`^- \[[^\]]+\]\(https://[^)\s]+\): \S.*$`)
	for i, line := range strings.Split(strings.TrimSpace(sections), "\n") {
		if i > 0 && line != "" && !strings.HasPrefix(line, "## ") && !link.MatchString(line) {
			faults = append(faults, "in a section of links: "+line)
		}
	}
	return faults
}

// TestFaultsOfLLMSAreFound gives the check texts that are not in the form.
func TestFaultsOfLLMSAreFound(t *testing.T) {
	t.Parallel()
	const good = "# T\n\n> S.\n\nMore.\n\n## Docs\n\n- [a](https://example.com/a): what it is\n"
	if faults := faultsOfLLMS(good); faults != nil {
		t.Errorf("good text: %v", faults)
	}
	for what, text := range map[string]string{
		"no title":     strings.TrimPrefix(good, "# T\n\n"),
		"no quotation": strings.Replace(good, "> ", "", 1),
		"no section":   strings.Replace(good, "## Docs", "Docs", 1),
		"no remark":    strings.Replace(good, ": what it is", "", 1),
		"relative":     strings.Replace(good, "https://example.com/", "", 1),
		"stray text":   good + "more text\n",
	} {
		if faultsOfLLMS(text) == nil {
			t.Errorf("%s: nothing was found", what)
		}
	}
}
