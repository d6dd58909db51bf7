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

func TestSubtractBare(t *testing.T) {
	t.Parallel()
	rounds := []sample{{110, 11, 7, 70}, {220, 22, 8, 80}, {330, 33, 9, 90}}
	bare := []sample{{10, 1, 2, 20}, {20, 2, 2, 20}, {230, 3, 2, 20}}
	// Left of each round: 100, 200 and 100 ns.
	if got, want := medianSample(subtractBare(rounds, bare)), (sample{100, 20, 6, 60}); got != want {
		t.Errorf("subtractBare = %v, want %v", got, want)
	}
	// It took 11, 11 and 1.4 times as long.
	if got := medianRatio(rounds, bare).nanos; got != 11 {
		t.Errorf("medianRatio = %v, want 11", got)
	}
	if got := ratio(300, 100); got != 3 {
		t.Errorf("ratio = %v", got)
	}
	if got := ratio(300, -5); got != 300 {
		t.Errorf("ratio to less than nothing = %v", got)
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		formatNanos(-3): "0 ns", formatNanos(999): "999 ns", formatNanos(1500): "1.5 µs", formatNanos(250_000): "250 µs", formatNanos(2.5e6): "2.5 ms", formatNanos(2e9): "2000 ms",
		formatBytes(-1): "0 B", formatBytes(512): "512 B", formatBytes(1500): "1.5 kB", formatBytes(2e6): "2000 kB",
		formatRatio(-1): "0.0×", formatRatio(1.26): "1.3×", formatRatio(25.4): "25×", formatWhole(-0.4): "0",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestReportIsWhole measures as little as possible and checks that all subjects are in the report.
func TestReportIsWhole(t *testing.T) {
	z := newSize(true, 1)
	for _, p := range []*schedule{&z.memory, &z.remote, &z.payload, &z.parallel, &z.contention, &z.load} {
		p.rounds, p.slot = 1, 2*time.Millisecond
	}
	z.parallelSessions, z.heapSessions, z.changesPerWriter = 64, 2048, 2
	z.stores = []storeConstructor{newCloakroomStore, newGorillaStore}
	r, err := measureAll(t.Context(), z, 1, newEnv(t), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	page := r.markdown()
	for _, s := range subjects() {
		if !strings.Contains(page, "| "+boldIf(s.library, s.isCloakroom())+" | "+s.store+" |") {
			t.Errorf("%v is not in the report", s)
		}
	}
	if n := len(r.targets()); n != 14+12+12+30+4+6+12 {
		t.Errorf("%d targets are in the report", n)
	}
	for name, text := range r.plots() {
		if err := wellFormed(text); err != nil || !strings.Contains(text, "Cloakroom") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range r.contention {
		if c.subject.isCloakroom() && (c.lost != 0 || c.refused != 0) {
			t.Errorf("%v loses changes: %+v", c.subject, c)
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

func TestNetResultsSubtractTheFramework(t *testing.T) {
	t.Parallel()
	u, env := useCases()[0], environment{payload: fiveKeys()}
	of := func(library string, framework string, nanos float64) *benchmark {
		return &benchmark{
			subject: &subject{framework: framework, library: library},
			use:     u, environment: env, samples: []sample{{nanos: nanos}},
		}
	}
	got, err := netResults([]*benchmark{of("theirs", "x", 70), of(bareName, "x", 20), of(bareName, "y", 5), of("ours", "y", 7)}, nil)
	if err != nil || len(got) != 4 || got[0].net.nanos != 50 || got[1].net.nanos != 20 || got[3].net.nanos != 2 {
		t.Errorf("netResults = %v, %v, want 50, 20, 5 and 2", got, err)
	}
	if _, err := netResults([]*benchmark{of("theirs", "x", 70)}, nil); !errors.Is(err, errBareMissing) {
		t.Errorf("without the bare framework netResults = %v", err)
	}
}
