package main

import (
	"go/ast"
	"go/doc"
	"go/printer"
	"path"
	"slices"
	"strings"
)

// chooseFunctions notes and returns the functions with these names.
func (g *generator) chooseFunctions(list []string) (functions []*doc.Func) {
	for _, name := range list {
		i := slices.IndexFunc(g.core.Funcs, func(f *doc.Func) bool { return f.Name == name })
		if i < 0 {
			g.fail("package core has no function %s", name)
			continue
		}
		functions = append(functions, g.core.Funcs[i])
		g.local[name] = true
	}
	return functions
}

// imports writes what the file imports: core, and the packages in the signatures of functions.
func (g *generator) imports(functions []*doc.Func) {
	var paths []string
	for _, f := range functions {
		ast.Inspect(f.Decl.Type, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				paths = append(paths, g.pathOf(s.X))
			}
			return true
		})
	}
	slices.Sort(paths)
	if paths = slices.Compact(paths); len(paths) == 0 {
		g.printf("import %q\n", corePath)
		return
	}
	g.printf("import (\n")
	for _, p := range paths {
		g.printf("%q\n", p)
	}
	g.printf("\n%q\n)\n", corePath)
}

// pathOf returns the import path of a package that core calls by the last part of it.
func (g *generator) pathOf(name ast.Expr) string {
	id, _ := name.(*ast.Ident)
	for _, p := range g.core.Imports {
		if id != nil && path.Base(p) == id.Name {
			return p
		}
	}
	g.fail("package core imports no package %v", name)
	return ""
}

// functions writes functions that call those of core.
func (g *generator) functions(list []*doc.Func) {
	for _, f := range list {
		g.printf("\n")
		g.comment(f.Name, f.Doc, "See [core."+f.Name+"].")
		signature := &ast.FuncDecl{Name: f.Decl.Name, Type: f.Decl.Type}
		if err := printer.Fprint(&g.out, g.files, signature); err != nil {
			g.fail("core.%s: %w", f.Name, err)
		}
		result := ""
		if f.Decl.Type.Results != nil {
			result = "return "
		}
		args := strings.Join(argumentsOf(f.Decl.Type), ", ")
		g.printf(" {\n%score.%s(%s)\n}\n", result, f.Name, args)
	}
}

// argumentsOf returns the names of a function's parameters, as arguments of a call.
func argumentsOf(t *ast.FuncType) (names []string) {
	for _, field := range t.Params.List {
		for _, id := range field.Names {
			names = append(names, id.Name)
		}
		if _, ok := field.Type.(*ast.Ellipsis); ok {
			names[len(names)-1] += "..."
		}
	}
	return names
}
