package tests_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/otelsessions"
)

// readPage returns the page about this module, which is beside it in the repository and missing in a download of it.
func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/observability.md")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the page is not here:", err)
	}
	must(t, err)
	return string(page)
}

// The code on the page is code of the example.
func TestPageShowsTheExample(t *testing.T) {
	t.Parallel()
	blocks := strings.Split(readPage(t), "```go\n")[1:]
	equal(t, "blocks", len(blocks), 2)
	example, err := os.ReadFile("example_test.go")
	must(t, err)
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(string(example), block) {
			t.Errorf("the example has no such lines:\n%s", block)
		}
	}
}

// The page names every metric, event, reason, operation and outcome that there is.
func TestPageNamesEverything(t *testing.T) {
	t.Parallel()
	page := readPage(t)
	r := newRig(t, core.Options{}, otelsessions.Options{})
	_, err := r.telemetry.Observe(t.Context(), r.m, 0)
	must(t, err)
	hook := r.telemetry.Instrument(core.Options{}).OnEvent
	kinds := 0
	for k := core.EventKind(1); k.String() != core.EventKind(0).String(); k++ {
		if kinds++; k != core.EventStoreCalled {
			hook(core.Event{Kind: k, Dropped: 1})
		}
	}
	equal(t, "kinds", kinds, int(core.EventValueRefused))
	for _, reason := range []core.Reason{
		core.ReasonRevoked, core.ReasonRevokedAll, core.ReasonRevokedEverything, core.ReasonLimit, core.ReasonReuse,
		core.ReasonSignedOut, core.ReasonSignedIn, core.ReasonReplaced, core.ReasonProvider, core.ReasonActor,
	} {
		hook(core.Event{Kind: core.EventRevoked, Reason: reason})
		hook(core.Event{Kind: core.EventGone, Reason: reason})
	}
	for _, end := range append(endings(), ended{}) {
		hook(core.Event{Kind: core.EventStoreCalled, Operation: "load", Err: end.err})
	}
	for _, operation := range []string{"save", "touch", "delete", "list", "list subject", "count", "purge"} {
		hook(core.Event{Kind: core.EventStoreCalled, Operation: operation})
	}
	for name := range r.collect() {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("the page does not name the metric %s", name)
		}
		for values := range r.counts(name) {
			for value := range strings.FieldsSeq(values) {
				if value != "other" && !strings.Contains(page, "`"+value+"`") {
					t.Errorf("the page does not name %s of %s", value, name)
				}
			}
		}
	}
	equal(t, "metrics", len(r.collect()), 5)
}
