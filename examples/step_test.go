package examples_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestProgramsAreInStep compares the programs: all have the same functions, which call the same functions of the library
// and of package demo. So what a reader copies from one is what there is in the others.
func TestProgramsAreInStep(t *testing.T) {
	t.Parallel()
	functions, calls := outline(t, "gin")
	for _, call := range []string{
		"sessions.NewManager", "sessions.Middleware", "sessions.Get", "sessions.GetFrom", "visits.Update", "s.SignIn", "s.Subject",
		"sessions.Get().Destroy", "s.Confirm", "s.FreshLevel", "a.sessions.List", "a.sessions.Revoke", "a.sessions.RevokeOthers",
	} {
		if !slices.Contains(calls, call) {
			t.Errorf("gin/main.go does not show %s", call)
		}
	}
	for _, framework := range frameworks() {
		otherFunctions, otherCalls := outline(t, framework)
		if !slices.Equal(otherFunctions, functions) {
			t.Errorf("%s has the functions\n%q, gin has\n%q", framework, otherFunctions, functions)
		}
		if !slices.Equal(otherCalls, calls) {
			t.Errorf("%s calls\n%q, gin calls\n%q", framework, otherCalls, calls)
		}
	}
}

// outline returns the functions of a program in their order, and what they call of the library and of package demo.
func outline(t *testing.T, framework string) (functions, calls []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(framework, "main.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Name.Name != "Serve" && f.Name.Name != "Shutdown" { // of Fiber alone
			functions = append(functions, f.Name.Name)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			name := nameOf(call.Fun)
			root, _, _ := strings.Cut(name, ".")
			if slices.Contains([]string{"sessions", "visits", "s", "demo"}, root) || strings.HasPrefix(name, "a.sessions.") {
				calls = append(calls, name)
			}
		}
		return true
	})
	calls = slices.DeleteFunc(calls, func(name string) bool {
		return name == "demo.NewServer" || strings.HasPrefix(name, "s.fiber.")
	})
	slices.Sort(calls)
	return functions, slices.Compact(calls)
}

// nameOf returns what is called, such as "sessions.Get().Destroy".
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return nameOf(e.Fun) + "()"
	}
	return ""
}
