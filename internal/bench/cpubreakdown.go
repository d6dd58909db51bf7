package bench

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"time"

	"github.com/google/pprof/profile"
)

// cpuBreakdown is what the CPU time of a request is spent on.
type cpuBreakdown struct {
	sender string             // the framework, or the bare client of Redis
	use    string             // name of the use case
	nanos  map[string]float64 // of one request, by purpose
}

// newCPUBreakdown divides the CPU time in a profile of a number of requests among purposes.
// The function purpose is given the function names of a sample, the innermost first.
func newCPUBreakdown(
	sender, use string, p *profile.Profile, requests int, purpose func(stack []string) string,
) cpuBreakdown {
	out := cpuBreakdown{sender, use, map[string]float64{}}
	for _, s := range p.Sample {
		out.nanos[purpose(functionNames(s))] += float64(s.Value[1]) / float64(requests)
	}
	return out
}

// profileCPU profiles a function that it calls again and again for the given time.
func profileCPU(duration time.Duration, do func() error) (*profile.Profile, error) {
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		return nil, err
	}
	var err error
	for began := time.Now(); time.Since(began) < duration && err == nil; {
		err = do()
	}
	pprof.StopCPUProfile()
	if err != nil {
		return nil, err
	}
	p, err := profile.Parse(&out)
	if err != nil {
		return nil, fmt.Errorf("reading a profile: %w", err)
	}
	return p, nil
}

// functionNames returns the names of the functions of a sample, including inlined ones, the
// innermost first.
func functionNames(s *profile.Sample) []string {
	var out []string
	for _, at := range s.Location {
		for _, line := range at.Line {
			out = append(out, line.Function.Name)
		}
	}
	return out
}
