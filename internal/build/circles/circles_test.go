package main

import (
	"slices"
	"strings"
	"testing"
)

// demo returns the graph of the package in testdata.
func demo(t *testing.T) *graph {
	t.Helper()
	packages, err := load(t.Context(), ".", []string{"./testdata/demo"})
	if err != nil || len(packages) != 1 {
		t.Fatalf("load: %d packages, %v", len(packages), err)
	}
	return newGraph(packages[0])
}

func TestCircles(t *testing.T) {
	t.Parallel()
	g := demo(t)
	var got []string
	for _, circle := range g.circles() {
		got = append(got, strings.Join(circle, " "))
	}
	want := []string{"basket.go line.go order.go", "account.go ledger.go"}
	if !slices.Equal(got, want) {
		t.Errorf("circles are %q, want %q", got, want)
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	g := demo(t)
	for _, test := range []struct{ from, to, names string }{
		{"account.go", "ledger.go", "account.log"}, // a method
		{"ledger.go", "account.go", "account"},     // a receiver
		{"order.go", "line.go", "price"},           // a field
		{"line.go", "order.go", "order total"},
		{"talker.go", "speaker.go", "gossip repeat talk"}, // a field in a literal
		{"speaker.go", "talker.go", ""},                   // text, other objects of that name, a blank declaration
	} {
		names := ""
		if u := g.uses[test.from][test.to]; u != nil {
			names = strings.Join(u.names(), " ")
		}
		if names != test.names {
			t.Errorf("%s mentions %q of %s, want %q", test.from, names, test.to, test.names)
		}
	}
}

func TestOutputShowsWhereToCut(t *testing.T) {
	t.Parallel()
	text, found, err := check(t.Context(), ".", true, []string{"./testdata/demo"})
	if err != nil || !found {
		t.Fatalf("check = %v, %v, want true", found, err)
	}
	for _, want := range []string{
		"circles/testdata/demo: files: 8, largest circle: 3\n",
		"3 files form a circle: basket.go line.go order.go\n",
		"  account.go:8:4: account.go uses ledger.go: account.log (1)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	if few, more := strings.Index(text, ": price (1)"), strings.Index(text, "order, total"); few > more {
		t.Errorf("want the use of one name before that of two:\n%s", text)
	}
}

func TestNoCircle(t *testing.T) {
	t.Parallel()
	text, found, err := check(t.Context(), ".", false, []string{"."})
	if err != nil || found || text != "" {
		t.Errorf("check = %v, %v, want silence about this package:\n%s", found, err, text)
	}
}

func TestBrokenPackage(t *testing.T) {
	t.Parallel()
	if _, _, err := check(t.Context(), ".", false, []string{"./nowhere"}); err == nil {
		t.Error("want an error for a package that does not exist")
	}
}
