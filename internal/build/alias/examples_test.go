package main

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// shownAt returns the examples on the page of the package in a folder: "" is the package, "Session" a type.
func shownAt(t *testing.T, folder string) map[string][]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "..", folder, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	fset, files := token.NewFileSet(), []*ast.File{}
	for _, path := range paths {
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(fset, files, "example.com/"+folder)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{}
	for _, e := range p.Examples {
		shown[""] = append(shown[""], e.Suffix)
	}
	for _, typ := range p.Types {
		for _, e := range typ.Examples {
			shown[typ.Name] = append(shown[typ.Name], e.Suffix)
		}
	}
	return shown
}

// Godoc shows no method of an alias, so an example of one is shown only if its name is that of the type and a suffix.
func TestExamplesAreShown(t *testing.T) {
	t.Parallel()
	for _, adapter := range []string{"gin", "echo", "echov5", "fiber", "fiberv3", "nethttp"} {
		shown := shownAt(t, adapter)
		if len(shown[""]) == 0 || !slices.Contains(shown["Session"], "login") || !slices.Contains(shown["Manager"], "devices") {
			t.Errorf("the page of %s shows the examples %q", adapter, shown)
		}
	}
	for _, store := range []string{"memstore", "redisstore", "sqlstore", "mongostore", "memcachedstore"} {
		if shown := shownAt(t, "core/"+store); len(shown[""]) == 0 {
			t.Errorf("the page of %s shows the examples %q", store, shown)
		}
	}
}
