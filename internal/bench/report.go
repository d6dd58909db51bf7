package bench

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// report is everything that was measured.
type report struct {
	seed       uint64
	size       size
	began      time.Time
	took       time.Duration
	processors int

	memory     results
	remote     results // with Redis
	payload    results
	parallel   []parallelResult
	contention []contentionResult
	load       []loadResult
	heap       []heapResult // Cloakroom's is the first

	traffic     map[*subject]map[string]traffic // by use case
	replays     []replayResult
	redisPinned bool // whether Redis was measured with a processor of its own

	memstoreBreakdowns []cpuBreakdown
	redisBreakdowns    []cpuBreakdown
}

// replayResult is what the bare client takes for the commands of a use case.
type replayResult struct {
	use, mode string
	rounds    []sample
}

// replaysOf returns the results of a use case, in the order of replayModes.
func (r *report) replaysOf(use string) []replayResult {
	other := func(p replayResult) bool { return p.use != use }
	return slices.DeleteFunc(slices.Clone(r.replays), other)
}

// ballast is how much memory is held during all measurements.
const ballast = 8 << 20

// newBallast returns the ballast. Without it, garbage collections would be as frequent as the
// memory that other subjects happen to keep alive allows, one after every megabyte or two of
// allocations. No server's heap is that small.
func newBallast() []byte { return make([]byte, ballast) }

// measureAll measures everything. It calls progress at the beginning of each part.
func measureAll(
	ctx context.Context, s size, seed uint64, env environment, progress func(part string),
) (*report, error) {
	held := newBallast()
	defer runtime.KeepAlive(held)
	r := &report{seed: seed, size: s, began: time.Now(), processors: runtime.GOMAXPROCS(0)}
	for _, part := range []struct {
		name string
		run  func(ctx context.Context, env environment) error
	}{
		{"memory stores", r.runMemory},
		{"profiles", r.runMemstoreBreakdowns},
		{"Redis", r.runRemote},
		{"payloads", r.runPayloads},
		{"processors", r.runParallel},
		{"contention", r.runContention},
		{"HTTP", r.runLoad},
		{"heap", r.runHeap},
	} {
		progress(part.name)
		if err := part.run(ctx, env); err != nil {
			return r, err
		}
	}
	r.took = time.Since(r.began)
	return r, nil
}

func (r *report) runMemory(ctx context.Context, env environment) (err error) {
	local := subjectsWhere(func(s *subject) bool { return s.store != inRedis })
	r.memory, err = measureSpecs(ctx, &r.size.memory, specsOf(local, useCases(), env))
	return err
}

// runRemote measures the subjects with Redis and, in the same rounds, replays of the commands
// that Cloakroom sends on Gin. Its other adapters send the same ones.
func (r *report) runRemote(ctx context.Context, env environment) (err error) {
	restore, ok := pinApart(redisProcess(ctx, env))
	r.redisPinned = ok
	defer restore()
	var replays, all []*replay
	defer func() { closeReplays(replays, all) }()
	for i, u := range useCases()[:3] {
		own := environment{env.payload, env.redis, i + 1}
		requests := max(int(r.size.remote.slot/(100*time.Microsecond)), 16)
		replay, err := recordReplay(ctx, subjectsWhere(isGinOnRedis)[0], &u, own, requests)
		if replays = append(replays, replay); err != nil {
			return err
		}
		interleaved, err := newBenchmark(ctx, subjectsWhere(isGinInMemory)[0], u, env)
		if err != nil {
			return err
		}
		modes := replayModes()
		all = append(all,
			replay, replay.withMode(modes[1], nil), replay.withMode(modes[2], interleaved))
	}
	if err := r.measureRemote(ctx, env, all); err != nil {
		return err
	}
	if err := r.runRedisBreakdowns(ctx, env, replays); err != nil {
		return err
	}
	return r.runTraffic(ctx, env)
}

func (r *report) measureRemote(ctx context.Context, env environment, all []*replay) (err error) {
	remote := subjectsWhere(func(s *subject) bool { return s.store == inRedis || s.isBare() })
	specs := specsOf(remote, useCases()[:3], env)
	r.remote, err = measureSpecs(ctx, &r.size.remote, specs, all...)
	for _, p := range all {
		r.replays = append(r.replays, replayResult{p.use, p.mode.name, p.samples})
	}
	return err
}

// closeReplays closes the clients of the recorded replays and the benchmarks with which others
// are interleaved.
func closeReplays(recorded, all []*replay) {
	for _, p := range recorded {
		_ = p.client.Close()
	}
	for _, p := range all {
		if p.interleaved != nil {
			p.interleaved.close()
		}
	}
}

// redisProcess returns the process id of the environment's Redis, or 0 if it does not say.
func redisProcess(ctx context.Context, env environment) int {
	client := newClient(env)
	defer func() { _ = client.Close() }()
	info, _ := client.InfoMap(ctx, "server").Result()
	process, _ := strconv.Atoi(info["Server"]["process_id"])
	return process
}

func (r *report) runTraffic(ctx context.Context, env environment) error {
	r.traffic = map[*subject]map[string]traffic{}
	for _, s := range subjectsWhere(func(s *subject) bool { return s.store == inRedis }) {
		r.traffic[s] = map[string]traffic{}
		for _, u := range useCases() {
			t, err := countTraffic(ctx, s, &u, env)
			if err != nil {
				return err
			}
			r.traffic[s][u.name] = t
		}
	}
	return nil
}

func (r *report) runPayloads(ctx context.Context, env environment) (err error) {
	uses := useCases()[:2]
	specs := specsOf(subjectsWhere((*subject).isBare), uses, env)
	local := subjectsWhere(func(s *subject) bool { return s.hasSessions() && s.store != inRedis })
	for _, p := range payloads() {
		specs = append(specs, specsOf(local, uses, environment{payload: p})...)
	}
	r.payload, err = measureSpecs(ctx, &r.size.payload, specs)
	return err
}

func (r *report) runParallel(ctx context.Context, env environment) (err error) {
	local := subjectsWhere(func(s *subject) bool {
		return (s.store == inMemory || s.isBare()) && !s.isLazy()
	})
	r.parallel, err = measureParallel(ctx, &r.size.parallel, env, local, r.size.parallelSessions)
	return err
}

func (r *report) runContention(ctx context.Context, env environment) (err error) {
	all := subjectsWhere(func(s *subject) bool {
		return (s.store == inMemory || s.store == inRedis) && !s.isLazy()
	})
	changes := r.size.changesPerWriter
	r.contention, err = measureContention(ctx, &r.size.contention, env, all, changes)
	return err
}

func (r *report) runLoad(ctx context.Context, env environment) (err error) {
	all := subjectsWhere(func(s *subject) bool {
		return (s.store == inMemory || s.store == inRedis || s.isBare()) && !s.isLazy()
	})
	actions := []action{actionRead, actionChange}
	r.load, err = measureLoad(ctx, &r.size.load, env, all, actions)
	return err
}

func (r *report) runHeap(ctx context.Context, _ environment) error {
	for _, build := range r.size.stores {
		h, err := measureHeap(ctx, build, &r.size)
		if err != nil {
			return err
		}
		r.heap = append(r.heap, h)
	}
	return nil
}
