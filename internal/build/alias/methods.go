package main

import (
	"fmt"
	"go/doc"
	"slices"
	"strings"
)

// methods returns a list of the methods of a type, as text of a comment, or "" if applications call
// none of them by name. An alias shows no methods of its own: neither go doc nor pkg.go.dev looks for
// them in the package that has them.
func (g *generator) methods(t *doc.Type) string {
	called := slices.DeleteFunc(slices.Clone(t.Methods), plumbing)
	if len(called) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("These are its methods:\n\n")
	for _, m := range called {
		what := strings.TrimPrefix(g.core.Synopsis(m.Doc), m.Name+" ")
		item := wrapTo(width-len("core.")-4, fmt.Sprintf("[%s.%s] %s", t.Name, m.Name, what))
		out.WriteString("  - " + strings.ReplaceAll(strings.TrimSuffix(item, "\n"), "\n", "\n    ") + "\n")
	}
	const text = "\nTo read all about one of them:\n\n\tgo doc %s %s.%s\n"
	fmt.Fprintf(&out, text, corePath, t.Name, wellKnown(called).Name)
	return out.String()
}

// wellKnown returns the method that a reader most likely looks for.
func wellKnown(methods []*doc.Func) *doc.Func {
	for _, m := range methods {
		if m.Name == "Login" || m.Name == "List" || m.Name == "Update" {
			return m
		}
	}
	return methods[0]
}

// plumbing reports whether a method is called by other packages, or by adapters.
func plumbing(m *doc.Func) bool {
	switch m.Name {
	case "String", "Format", "LogValue", "MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON":
		return true
	}
	return strings.Contains(strings.Join(strings.Fields(m.Doc), " "), " is for adapters")
}
