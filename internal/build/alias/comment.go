package main

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"strings"
	"unicode/utf8"
)

// width is the length to which paragraphs are wrapped, without the comment's slashes.
const width = 85

// commenter turns comments of core into comments of an adapter.
type commenter struct {
	parser *comment.Parser
	local  map[string]bool // the names that an adapter has too
}

func newCommenter(core *doc.Package, local map[string]bool) commenter {
	parser := core.Parser()
	declared := parser.LookupSym
	parser.LookupSym = func(recv, name string) bool {
		if recv == "" {
			return declared("", name)
		}
		return declared("", recv) && ast.IsExported(name) // A method or a field; go/doc finds methods alone.
	}
	return commenter{parser, local}
}

// format returns text as a comment that ends in the sentence more. Links to what the adapter has no
// name for lead to package core.
func (c *commenter) format(text, more string) string {
	if text == "" {
		return ""
	}
	d := c.parser.Parse(text)
	if more != "" {
		d.Content = with(d.Content, comment.Plain(more))
	}
	var parts []string
	for _, b := range d.Content {
		c.relinkBlock(b)
		parts = append(parts, render(b))
	}
	if len(d.Links) > 0 {
		parts = append(parts, source(&comment.Doc{Links: d.Links}))
	}
	return slashed(strings.Join(parts, "\n"))
}

// with adds a sentence to the last paragraph, or as a paragraph of its own after anything else.
func with(blocks []comment.Block, sentence comment.Text) []comment.Block {
	if p, ok := blocks[len(blocks)-1].(*comment.Paragraph); ok {
		p.Text = append(p.Text, comment.Plain(" "), sentence)
		return blocks
	}
	return append(blocks, &comment.Paragraph{Text: []comment.Text{sentence}})
}

// relinkBlock changes the links of a block.
func (c *commenter) relinkBlock(b comment.Block) {
	switch b := b.(type) {
	case *comment.Paragraph:
		c.relink(b.Text)
	case *comment.Heading:
		c.relink(b.Text)
	case *comment.List:
		for _, item := range b.Items {
			for _, inner := range item.Content {
				c.relinkBlock(inner)
			}
		}
	}
}

// relink spells the links so that they resolve in a package whose only import is core.
func (c *commenter) relink(text []comment.Text) {
	for _, t := range text {
		link, ok := t.(*comment.DocLink)
		if !ok {
			continue
		}
		name := strings.TrimPrefix(link.Recv+"."+link.Name, ".")
		switch {
		case link.ImportPath == "" && !c.local[name]:
			name = "core." + name
		case strings.Contains(link.ImportPath, "."):
			name = strings.TrimSuffix(link.ImportPath+"."+name, ".")
		default: // Known here as well, or of the standard library.
			continue
		}
		link.Text = []comment.Text{comment.Plain(name)}
	}
}

// render returns a block as text, wrapped if it is a paragraph.
func render(b comment.Block) string {
	text := source(&comment.Doc{Content: []comment.Block{b}})
	if _, ok := b.(*comment.Paragraph); ok {
		return wrap(text)
	}
	return text
}

// source returns the text of a comment without its slashes.
func source(d *comment.Doc) string {
	var p comment.Printer
	return string(p.Comment(d))
}

// wrap breaks a paragraph into lines.
func wrap(text string) string { return wrapTo(width, text) }

// wrapTo is wrap for lines of another length.
func wrapTo(width int, text string) string {
	var out strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case column == 0:
		case column+1+n > width:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += n
	}
	return out.String() + "\n"
}

// slashed makes a comment of lines.
func slashed(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight("// "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	return strings.ReplaceAll(out.String(), "// \t", "//\t")
}
