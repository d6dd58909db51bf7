package bench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// BenchmarkReport measures everything and writes docs/benchmarks.md with its plots; make bench runs
// it. With BENCH=quick it takes three minutes, BENCH_SEED repeats the orders of a run, and BENCH_OUT
// names another folder to write to.
func BenchmarkReport(b *testing.B) {
	seed := rand.Uint64N(1 << 32) //nolint:gosec // an order that can be repeated
	if text := os.Getenv("BENCH_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("seed %d", seed)
	size := newSize(os.Getenv("BENCH") == "quick", seed)
	r, err := measureAll(b.Context(), size, seed, newEnv(b), func(part string) { b.Log(part) })
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

// BenchmarkRequest measures each subject in each use case, including the framework. Profiles can be
// taken from it.
func BenchmarkRequest(b *testing.B) {
	env := newEnv(b)
	for _, s := range subjects() {
		for _, u := range useCases() {
			b.Run(s.String()+"/"+u.name, func(b *testing.B) {
				bm, err := newBenchmark(b.Context(), s, u, env)
				if err != nil {
					b.Fatal(err)
				}
				defer bm.close()
				b.ReportAllocs()
				b.ResetTimer()
				if err := bm.send(b.N); err != nil {
					b.Error(err)
				}
			})
		}
	}
}
