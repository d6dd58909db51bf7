package bench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// BenchmarkReport measures everything and writes docs/benchmarks.md with its plots: see make bench. BENCH=quick measures
// for a minute or two, BENCH_SEED repeats the orders of a run, and BENCH_OUT names another folder.
func BenchmarkReport(b *testing.B) {
	seed := rand.Uint64N(1 << 32) //nolint:gosec // an order, that can be repeated
	if text := os.Getenv("BENCH_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("seed %d", seed)
	r, err := run(b.Context(), sized(os.Getenv("BENCH") == "quick", seed), seed, newWorld(b), func(what string) { b.Log(what) })
	if err != nil {
		b.Fatal(err)
	}
	folder := os.Getenv("BENCH_OUT")
	if folder == "" {
		folder = filepath.Join("..", "..", "docs")
	}
	files := r.plots()
	files["benchmarks.md"] = r.markdown()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // pages are for everybody
			b.Error(err)
		}
	}
	b.Logf("took %v; see %s", r.took, filepath.Join(folder, "benchmarks.md"))
}

// BenchmarkRequest measures each contender in each use case, framework included: the place to take profiles from.
func BenchmarkRequest(b *testing.B) {
	w := newWorld(b)
	for _, c := range contenders() {
		for _, u := range useCases() {
			b.Run(c.String()+"/"+u.name, func(b *testing.B) {
				trial, err := newTrial(b.Context(), c, u, w)
				if err != nil {
					b.Fatal(err)
				}
				defer trial.close()
				b.ReportAllocs()
				b.ResetTimer()
				if err := trial.send(b.N); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
