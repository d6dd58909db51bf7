package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
)

// graph holds which file of a package uses which.
type graph struct {
	path  string
	files []string
	uses  map[string]map[string]*use // by the file that uses, then by the one that is used
}

// use is all that one file mentions of another, with the place of the first mention of each name.
type use struct {
	from, to string
	mentions map[string]token.Position
}

func newGraph(p *pkg) *graph {
	g := &graph{path: p.path, uses: map[string]map[string]*use{}}
	for _, file := range p.files {
		g.files = append(g.files, base(p.fset.Position(file.FileStart)))
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				g.mention(p, id)
			}
			return !blank(n)
		})
	}
	return g
}

// blank reports whether n declares nothing but the blank identifier at package level, as in
// `var _ Store = (*memory)(nil)`.
func blank(n ast.Node) bool {
	spec, ok := n.(*ast.ValueSpec)
	return ok && !slices.ContainsFunc(spec.Names, func(id *ast.Ident) bool { return id.Name != "_" })
}

// mention records a use if the identifier stands for something that another file declares.
func (g *graph) mention(p *pkg, id *ast.Ident) {
	obj := p.info.Uses[id]
	if obj == nil || obj.Pkg() != p.types {
		return
	}
	from, at := p.fset.Position(id.Pos()), p.fset.Position(obj.Pos())
	if from.Filename != at.Filename {
		g.add(base(from), base(at), name(obj), from)
	}
}

func (g *graph) add(from, to, name string, at token.Position) {
	if g.uses[from] == nil {
		g.uses[from] = map[string]*use{}
	}
	u := g.uses[from][to]
	if u == nil {
		u = &use{from: from, to: to, mentions: map[string]token.Position{}}
		g.uses[from][to] = u
	}
	if _, ok := u.mentions[name]; !ok {
		u.mentions[name] = at
	}
}

func base(at token.Position) string { return filepath.Base(at.Filename) }

// name returns the object's name, and for a method that of its receiver's type before it.
func name(obj types.Object) string {
	fn, ok := obj.(*types.Func)
	if !ok || fn.Signature().Recv() == nil {
		return obj.Name()
	}
	recv := types.Unalias(fn.Signature().Recv().Type())
	if p, ok := recv.(*types.Pointer); ok {
		recv = types.Unalias(p.Elem())
	}
	if named, ok := recv.(*types.Named); ok {
		return named.Obj().Name() + "." + obj.Name()
	}
	return obj.Name()
}

// names returns what is mentioned, sorted.
func (u *use) names() []string { return slices.Sorted(maps.Keys(u.mentions)) }

// first returns the place where the first of the names is mentioned first.
func (u *use) first() string {
	at := u.mentions[u.names()[0]]
	return fmt.Sprintf("%s:%d:%d", base(at), at.Line, at.Column)
}

// circles returns the strongly connected components of more than one file, the largest first.
func (g *graph) circles() [][]string {
	reached := map[string]map[string]bool{}
	for _, file := range g.files {
		reached[file] = g.reach(file)
	}
	var circles [][]string
	done := map[string]bool{}
	for _, a := range g.files {
		circle := slices.DeleteFunc(slices.Clone(g.files), func(b string) bool {
			return !reached[a][b] || !reached[b][a]
		})
		if len(circle) > 1 && !done[a] {
			circles = append(circles, circle)
			for _, file := range circle {
				done[file] = true
			}
		}
	}
	slices.SortStableFunc(circles, func(a, b []string) int { return cmp.Compare(len(b), len(a)) })
	return circles
}

// reach returns the files that a file uses, directly or through others.
func (g *graph) reach(file string) map[string]bool {
	reached := map[string]bool{}
	for todo := []string{file}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for to := range g.uses[next] {
			if !reached[to] {
				reached[to] = true
				todo = append(todo, to)
			}
		}
	}
	return reached
}

// within returns the uses between files of a circle, those with the fewest names first.
func (g *graph) within(circle []string) []*use {
	var uses []*use
	for _, from := range circle {
		for to, u := range g.uses[from] {
			if slices.Contains(circle, to) {
				uses = append(uses, u)
			}
		}
	}
	slices.SortFunc(uses, func(a, b *use) int {
		return cmp.Or(
			cmp.Compare(len(a.mentions), len(b.mentions)), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to),
		)
	})
	return uses
}
