package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestMedians(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{7}, 7},
		{[]float64{9, 1, 5}, 5},
		{[]float64{1, 100, 3, 5}, 4},
	} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = 100 - i
	}
	if got := percentile(hundred, 99); got != 100 || percentile([]int{3}, 99) != 3 || percentile(hundred, 50) != 51 {
		t.Errorf("percentile 99 of 1 to 100 = %d", got)
	}
}

func TestBeyondTheFramework(t *testing.T) {
	t.Parallel()
	of := []figure{{110, 11, 7, 70}, {220, 22, 8, 80}, {330, 33, 9, 90}}
	bare := []figure{{10, 1, 2, 20}, {20, 2, 2, 20}, {230, 3, 2, 20}}
	// Left of each round: 100, 200 and 100 ns.
	if got, want := medianFigure(beyond(of, bare)), (figure{100, 20, 6, 60}); got != want {
		t.Errorf("beyond = %v, want %v", got, want)
	}
	// It took 11, 11 and 1.4 times as long.
	if got := inRounds(of, bare).nanos; got != 11 {
		t.Errorf("inRounds = %v, want 11", got)
	}
	if got := ratio(300, 100); got != 3 {
		t.Errorf("ratio = %v", got)
	}
	if got := ratio(300, -5); got != 300 {
		t.Errorf("ratio to less than nothing = %v", got)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		span(-3): "0 ns", span(999): "999 ns", span(1500): "1.5 µs", span(250_000): "250 µs", span(2.5e6): "2.5 ms", span(2e9): "2000 ms",
		amount(-1): "0 B", amount(512): "512 B", amount(1500): "1.5 kB", amount(2e6): "2000 kB",
		times(-1): "0.0×", times(1.26): "1.3×", times(25.4): "25×", whole(-0.4): "0",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestReportIsWhole measures as little as can be, and looks whether everybody is in the report.
func TestReportIsWhole(t *testing.T) {
	z := sized(true, 1)
	for _, p := range []*pace{&z.memory, &z.remote, &z.payload, &z.crowd, &z.contest, &z.load} {
		p.rounds, p.slot = 1, 2*time.Millisecond
	}
	z.sessions, z.heap, z.changes, z.window = 64, 2048, 2, 10*time.Millisecond
	z.shelves = []shelfMaker{ourShelf, gorillaShelf}
	r, err := run(t.Context(), z, 1, newWorld(t), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	page := r.markdown()
	for _, c := range contenders() {
		if !strings.Contains(page, "| "+bold(c.library, c.isOurs())+" | "+c.store+" |") {
			t.Errorf("%v is not in the report", c)
		}
	}
	if n := len(r.targets()); n != 9+6+6+15+4+3+6 {
		t.Errorf("%d targets are held against the figures", n)
	}
	for name, text := range r.plots() {
		if err := wellFormed(text); err != nil || !strings.Contains(text, "Cloakroom") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range r.contended {
		if c.contender.isOurs() && (c.lost != 0 || c.refused != 0) {
			t.Errorf("%v loses changes: %+v", c.contender, c)
		}
	}
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestSettleSubtractsTheFramework(t *testing.T) {
	t.Parallel()
	u, w := useCases()[0], world{payload: fiveKeys()}
	of := func(library string, framework string, nanos float64) *trial {
		return &trial{contender: &contender{framework: framework, library: library}, use: u, world: w, figures: []figure{{nanos: nanos}}}
	}
	got, err := settle([]*trial{of("theirs", "x", 70), of(bareFramework, "x", 20), of(bareFramework, "y", 5), of("ours", "y", 7)}, nil)
	if err != nil || len(got) != 4 || got[0].net.nanos != 50 || got[1].net.nanos != 20 || got[3].net.nanos != 2 {
		t.Errorf("settle = %v, %v, want 50, 20, 5 and 2", got, err)
	}
	if _, err := settle([]*trial{of("theirs", "x", 70)}, nil); !errors.Is(err, errNoBare) {
		t.Errorf("without the bare framework settle = %v", err)
	}
}
