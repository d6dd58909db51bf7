package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// result is what a subject takes beyond the bare framework in a use case with a payload.
// Failure is the error of a subject that cannot do it at all.
type result struct {
	subject *subject
	use     string
	payload string
	net     sample   // median of the rounds
	rounds  []sample // without the bare framework
	failure error
}

// results is a list of results that can be searched.
type results []*result

// where returns the results for which match returns true.
func (all results) where(match func(r *result) bool) results {
	var out results
	for _, r := range all {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

// cloakroom returns Cloakroom's result without Lazy on a framework with a store, or nil if
// there is none.
func (all results) cloakroom(framework, store, use string) *result {
	for _, r := range all {
		s := r.subject
		if s.framework == framework && s.store == store && s.library == cloakroomName &&
			r.use == use && r.failure == nil {
			return r
		}
	}
	return nil
}

// bestPeer returns the fastest result of another library with a store on a framework, or nil if
// there is none.
func (all results) bestPeer(framework, store, use string) *result {
	return fastest(all.where(func(r *result) bool {
		s := r.subject
		return s.framework == framework && s.store == store &&
			!s.isCloakroom() && r.use == use && r.failure == nil
	}))
}

// fastest returns the result with the smallest net time, or nil if there are no results.
func fastest(all results) *result {
	if len(all) == 0 {
		return nil
	}
	return slices.MinFunc(all, func(a, b *result) int {
		return cmp.Compare(a.net.nanos, b.net.nanos)
	})
}

// spec is a subject to be measured in a use case and an environment.
type spec struct {
	subject     *subject
	use         useCase
	environment environment
}

// specsOf pairs the subjects with the use cases in which they are measured.
func specsOf(all []*subject, uses []useCase, env environment) []spec {
	var out []spec
	for _, s := range all {
		for _, u := range uses {
			if s.measuredIn(&u) {
				out = append(out, spec{s, u, env})
			}
		}
	}
	return out
}

// measureSpecs measures all specs and replays in turn. The bare frameworks must be among the
// specs; their samples are subtracted from the others.
func measureSpecs(
	ctx context.Context, s *schedule, specs []spec, replays ...*replay,
) (results, error) {
	var all []slotMeasurer
	var benchmarks []*benchmark
	var failed results
	defer func() {
		for _, b := range benchmarks {
			b.close()
		}
	}()
	for _, r := range replays {
		all = append(all, r)
	}
	for _, sp := range specs {
		b, err := newBenchmark(ctx, sp.subject, sp.use, sp.environment)
		switch {
		case err == nil:
			benchmarks, all = append(benchmarks, b), append(all, b)
		case sp.subject.isCloakroom(), !sp.subject.hasSessions():
			return nil, err
		default:
			failed = append(failed, &result{
				subject: sp.subject, use: sp.use.name,
				payload: sp.environment.payload.name, failure: err,
			})
		}
	}
	if err := measureInTurn(ctx, s, all); err != nil {
		return nil, err
	}
	return netResults(benchmarks, failed)
}

var errBareMissing = errors.New("the bare framework was not measured")

// netResults appends the results of the benchmarks, without what the bare framework takes, to
// out.
func netResults(benchmarks []*benchmark, out results) (results, error) {
	bare := map[string][]sample{}
	key := func(b *benchmark) string { return b.subject.framework + b.use.name }
	for _, b := range benchmarks {
		if b.subject.isBare() {
			bare[key(b)] = b.samples
		}
	}
	for _, b := range benchmarks {
		bareSamples, ok := bare[key(b)]
		if !ok {
			return nil, fmt.Errorf("%v, case %s: %w", b.subject, b.use.name, errBareMissing)
		}
		r := &result{
			subject: b.subject, use: b.use.name,
			payload: b.environment.payload.name, rounds: b.samples,
		}
		if !b.subject.isBare() {
			r.rounds = subtractBare(b.samples, bareSamples)
		}
		r.net = medianSample(r.rounds)
		out = append(out, r)
	}
	return out, nil
}
