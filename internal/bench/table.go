package bench

import "strings"

// table is a table in Markdown.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table as Markdown.
func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.header)
	b.WriteString("|---" + strings.Repeat("|---", len(t.header)-1) + "|\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// boldIf returns the text, in bold if the condition is true.
func boldIf(text string, condition bool) string {
	if condition {
		return "**" + text + "**"
	}
	return text
}
