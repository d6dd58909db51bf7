// Command circles fails when files of a package use each other in a circle.
//
//	go run ./circles [-C dir] [-v] packages
//
// File a.go uses file b.go if it mentions a function, method, type, field, constant or variable
// that b.go declares. A method makes its file use the file of its receiver's type, because it
// mentions that type. Test files do not count, and neither do declarations whose only name is
// blank, such as the assertion that a type implements an interface.
//
// For each circle the command prints its files and, for each use inside it, how many identifiers
// make it up and where the first one is mentioned. The uses with the fewest identifiers come
// first: they are the cheapest to cut.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

func main() {
	dir := flag.String("C", "../..", "folder in which the go command looks for the packages")
	verbose := flag.Bool("v", false, "also print the size of each package and of its largest circle")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	text, found, err := check(ctx, *dir, *verbose, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "circles:", err)
	}
	_, _ = os.Stdout.WriteString(text)
	if err != nil || found {
		os.Exit(1)
	}
}

// check describes the circles of the packages and reports whether there are any.
func check(ctx context.Context, dir string, verbose bool, patterns []string) (text string, found bool, err error) {
	packages, err := load(ctx, dir, patterns)
	if err != nil {
		return "", false, err
	}
	var out strings.Builder
	for _, p := range packages {
		g := newGraph(p)
		circles := g.circles()
		if verbose {
			fmt.Fprintf(&out, "%s: files: %d, largest circle: %d\n", p.path, len(g.files), largest(circles))
		}
		for _, circle := range circles {
			g.describe(&out, circle)
			found = true
		}
	}
	return out.String(), found, nil
}

// largest returns the number of files in the first of the circles, which are sorted by size.
func largest(circles [][]string) int {
	if len(circles) == 0 {
		return 0
	}
	return len(circles[0])
}

// describe writes a circle and the uses that make it up.
func (g *graph) describe(out *strings.Builder, circle []string) {
	fmt.Fprintf(out, "%s: %d files form a circle: %s\n", g.path, len(circle), strings.Join(circle, " "))
	for _, u := range g.within(circle) {
		names := u.names()
		fmt.Fprintf(out, "  %s: %s uses %s: %s (%d)\n", u.first(), u.from, u.to, strings.Join(names, ", "), len(names))
	}
}
