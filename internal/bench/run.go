package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// size says how much to measure.
type size struct {
	memory, remote, payload, crowd, contest, load pace
	sessions, heap, changes, tries                int
	shelves                                       []shelfMaker
	spell                                         time.Duration // of a profile
	window                                        time.Duration // beyond the time between sweeps, to see one's stall
}

// sized returns a size whose orders are drawn from a seed.
func sized(quick bool, seed uint64) size {
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // an order, that can be repeated
	with := func(rounds int, slot time.Duration) pace {
		if quick {
			rounds, slot = 3, slot/5
		}
		return pace{rounds, slot, random}
	}
	out := size{
		// Each slot begins with a collection. One must be long enough for those that its own garbage asks for, or it costs nothing.
		memory: with(15, 100*time.Millisecond), remote: with(81, 40*time.Millisecond), payload: with(9, 60*time.Millisecond),
		crowd: with(5, 300*time.Millisecond), contest: with(5, 0), load: with(5, 500*time.Millisecond),
		sessions: 100_000, heap: 1_000_000, changes: 100, tries: 6, shelves: shelves(), window: time.Second, spell: 5 * time.Second,
	}
	if quick {
		out.sessions, out.heap, out.changes, out.tries = out.sessions/20, out.heap/10, out.changes/4, 1
		out.spell /= 10
	}
	return out
}

// report is all that was measured.
type report struct {
	seed       uint64
	size       size
	began      time.Time
	took       time.Duration
	processors int
	memory     results
	remote     results
	payload    results
	anatomies  []anatomy
	traffic    map[*contender]map[string]traffic // by use case
	floors     []floor                           // of Redis
	outlays    []outlay
	apart      bool // Redis was measured with a processor of its own
	throughput []throughput
	footprints []footprint
	contended  []contended
	served     []served
}

// floor is what the bare client takes for a use case's commands.
type floor struct {
	use, manner string
	rounds      []figure
}

// floorsOf returns those of a use case, the client as it is first.
func (r *report) floorsOf(use string) []floor {
	return slices.DeleteFunc(slices.Clone(r.floors), func(f floor) bool { return f.use != use })
}

// ballast is how much memory is held while things are measured.
const ballast = 8 << 20

// hold returns the ballast. Without it the collector would run as often as what other contenders happen to keep alive says,
// each time a megabyte or two were allocated: no server's heap is so small.
func hold() []byte { return make([]byte, ballast) }

// run measures everything.
func run(ctx context.Context, s size, seed uint64, w world, progress func(what string)) (*report, error) {
	held := hold()
	defer runtime.KeepAlive(held)
	r := &report{seed: seed, size: s, began: time.Now(), processors: runtime.GOMAXPROCS(0)}
	for _, step := range []struct {
		what string
		do   func(ctx context.Context, w world) error
	}{
		{"memory stores", r.runMemory},
		{"profiles", r.runProfiles},
		{"Redis", r.runRemote},
		{"payloads", r.runPayloads},
		{"processors", r.runParallel},
		{"contention", r.runContention},
		{"HTTP", r.runLoad},
		{"heap", r.runHeap},
	} {
		progress(step.what)
		if err := step.do(ctx, w); err != nil {
			return r, err
		}
	}
	r.took = time.Since(r.began)
	return r, nil
}

// entriesOf pairs contenders with the use cases they compete in.
func entriesOf(all []*contender, uses []useCase, w world) []entry {
	var out []entry
	for _, c := range all {
		for _, u := range uses {
			if c.competes(&u) {
				out = append(out, entry{c, u, w})
			}
		}
	}
	return out
}

func (r *report) runMemory(ctx context.Context, w world) (err error) {
	local := choose(func(c *contender) bool { return c.store != redisStore })
	r.memory, err = compare(ctx, &r.size.memory, entriesOf(local, useCases(), w))
	return err
}

// runRemote also measures the floor, in the same rounds: the commands of this library on Gin, since all of its adapters
// send the same.
func (r *report) runRemote(ctx context.Context, w world) (err error) {
	remote := choose(func(c *contender) bool { return c.store == redisStore || c.isBare() })
	restore, ok := apart(processOf(ctx, w))
	r.apart = ok
	defer restore()
	var tapes, all []*tape
	defer func() {
		for _, t := range tapes {
			_ = t.client.Close()
		}
		for _, t := range all {
			if t.besides != nil {
				t.besides.close()
			}
		}
	}()
	for i, u := range useCases()[:3] {
		own := world{w.payload, w.redis, i + 1}
		t, err := record(ctx, choose(isOursOnGin)[0], &u, own, max(int(r.size.remote.slot/(100*time.Microsecond)), 16))
		if tapes = append(tapes, t); err != nil {
			return err
		}
		besides, err := newTrial(ctx, choose(isOursInMemory)[0], u, w)
		if err != nil {
			return err
		}
		all = append(all, t, t.in(manners()[1], nil), t.in(manners()[2], besides))
	}
	r.remote, err = compare(ctx, &r.size.remote, entriesOf(remote, useCases()[:3], w), all...)
	for _, t := range all {
		r.floors = append(r.floors, floor{t.use, t.manner.name, t.figures})
	}
	if err != nil {
		return err
	}
	if err := r.runOutlays(ctx, w, tapes); err != nil {
		return err
	}
	return r.runTraffic(ctx, w)
}

// processOf returns the process of the Redis in a world, 0 if it does not say.
func processOf(ctx context.Context, w world) int {
	client := newClient(w)
	defer func() { _ = client.Close() }()
	info, _ := client.InfoMap(ctx, "server").Result()
	process, _ := strconv.Atoi(info["Server"]["process_id"])
	return process
}

func isOursOnGin(c *contender) bool {
	return c.framework == "Gin" && c.library == cloakroom && c.store == redisStore
}

func isOursInMemory(c *contender) bool {
	return c.framework == "Gin" && c.library == cloakroom && c.store == memoryStore && !c.isLazy()
}

func (r *report) runTraffic(ctx context.Context, w world) error {
	r.traffic = map[*contender]map[string]traffic{}
	for _, c := range choose(func(c *contender) bool { return c.store == redisStore }) {
		r.traffic[c] = map[string]traffic{}
		for _, u := range useCases() {
			t, err := countTraffic(ctx, c, &u, w)
			if err != nil {
				return err
			}
			r.traffic[c][u.name] = t
		}
	}
	return nil
}

func (r *report) runPayloads(ctx context.Context, w world) (err error) {
	uses := useCases()[:2]
	entries := entriesOf(choose((*contender).isBare), uses, w)
	for _, p := range payloads() {
		local := choose(func(c *contender) bool { return c.keepsSessions() && c.store != redisStore })
		entries = append(entries, entriesOf(local, uses, world{payload: p})...)
	}
	r.payload, err = compare(ctx, &r.size.payload, entries)
	return err
}

func (r *report) runParallel(ctx context.Context, w world) (err error) {
	local := choose(func(c *contender) bool { return (c.store == memoryStore || c.isBare()) && !c.isLazy() })
	r.throughput, err = compareParallel(ctx, &r.size.crowd, w, local, r.size.sessions)
	return err
}

func (r *report) runContention(ctx context.Context, w world) (err error) {
	all := choose(func(c *contender) bool { return (c.store == memoryStore || c.store == redisStore) && !c.isLazy() })
	r.contended, err = compareContention(ctx, &r.size.contest, w, all, r.size.changes)
	return err
}

func (r *report) runLoad(ctx context.Context, w world) (err error) {
	all := choose(func(c *contender) bool {
		return (c.store == memoryStore || c.store == redisStore || c.isBare()) && !c.isLazy()
	})
	r.served, err = compareLoad(ctx, &r.size.load, w, all, []action{read, change})
	return err
}

func (r *report) runHeap(ctx context.Context, _ world) error {
	for _, build := range r.size.shelves {
		f, err := weigh(ctx, build, &r.size)
		if err != nil {
			return err
		}
		r.footprints = append(r.footprints, f)
	}
	return nil
}
