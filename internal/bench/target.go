package bench

import (
	"fmt"
	"slices"
	"time"
)

// target is a goal and what was measured for it.
type target struct {
	what, where, measured, wanted string
	met                           verdict
}

// verdict says whether a target is met, and if not, what explains it.
type verdict string

const (
	met     verdict = "yes"
	missed  verdict = "**no**"
	unknown verdict = "cannot tell: the machine stalls by itself"
)

func metIf(condition bool) verdict {
	if condition {
		return met
	}
	return missed
}

// targets returns all targets with their measurements.
func (r *report) targets() []target {
	return slices.Concat(
		r.memoryTargets(), r.untouchedTargets(), r.payloadTargets(), r.remoteTargets(),
		r.heapTargets(), r.parallelTargets(), r.contentionTargets(),
	)
}

// wantedSpeedups returns how many times as fast as the best peer Cloakroom with a memory store
// should be on a framework. The keys are the use cases that have such a target.
func wantedSpeedups(framework string) map[string]float64 {
	switch framework {
	case onFiberV3:
		return map[string]float64{"a": 10}
	case onNetHTTP:
		return map[string]float64{"a": 12}
	default:
		return map[string]float64{"a": 20, "b": 12, "c": 3}
	}
}

func (r *report) memoryTargets() []target {
	var out []target
	for _, goal := range []struct {
		use    string
		allocs float64
	}{{"a", 5}, {"b", 10}, {"c", 12}} {
		for _, framework := range frameworks() {
			own := r.memory.cloakroom(framework, inMemory, goal.use)
			peer := r.memory.bestPeer(framework, inMemory, goal.use)
			if own != nil && peer != nil && wantedSpeedups(framework)[goal.use] > 0 {
				out = append(out, r.memoryTarget(own, peer, goal.allocs))
			}
		}
	}
	return out
}

func (r *report) memoryTarget(own, peer *result, maxAllocs float64) target {
	framework := own.subject.framework
	wanted := wantedSpeedups(framework)[own.use]
	gain := medianRatio(peer.rounds, own.rounds)
	reached := gain.nanos >= wanted && own.net.allocs < maxAllocs+0.5
	return target{
		"memory, case " + own.use, framework,
		fmt.Sprintf("%s faster (CPU: %s) than %s, %s allocations", formatRatio(gain.nanos),
			formatRatio(gain.cpu), peer.subject.library, formatWhole(own.net.allocs)),
		fmt.Sprintf("%s, %s", formatRatio(wanted), formatWhole(maxAllocs)),
		r.withFloor(metIf(reached), framework, own.use),
	}
}

// withFloor adds to a missed target how much of the CPU time that it allows is spent outside
// our own code.
func (r *report) withFloor(v verdict, framework, use string) verdict {
	for i := range r.memstoreBreakdowns {
		b := &r.memstoreBreakdowns[i]
		if v != missed || b.sender != framework || b.use != use {
			continue
		}
		floor, allowed := formatWhole(r.cpuFloor(b)), formatWhole(r.targetCPU(framework, use))
		v += verdict(fmt.Sprintf(": the floor is %s of %s ns", floor, allowed))
		if more := b.indispensable(); more > 0 && wantedSpeedups(framework)[use] > 0 {
			v += verdict("; ticket, record and store take " + formatWhole(more))
		}
	}
	return v
}

// untouchedNanos is how much time a session may take that no handler uses.
const untouchedNanos = 200

// untouchedTargets returns the targets for sessions that no handler uses. That such a request
// calls no store is measured with Redis, which receives no command.
func (r *report) untouchedTargets() []target {
	var out []target
	for _, framework := range frameworks() {
		for _, own := range r.memory.where(func(o *result) bool {
			s := o.subject
			return s.framework == framework && s.isCloakroom() &&
				(o.use == "d" && !s.isLazy() || o.use == "e" && s.isLazy())
		}) {
			out = append(out, r.untouchedTarget(own))
		}
	}
	return out
}

func (r *report) untouchedTarget(own *result) target {
	framework := own.subject.framework
	reached := own.net.nanos < untouchedNanos && own.net.allocs < 2.5
	measured := fmt.Sprintf("%s (CPU: %s), %s allocations",
		formatNanos(own.net.nanos), formatNanos(own.net.cpu), formatWhole(own.net.allocs))
	if commands, ok := r.redisCommands(framework, own.use); ok && own.use == "d" {
		measured += fmt.Sprintf(", %s store calls", formatWhole(commands))
		reached = reached && commands == 0
	}
	what := map[string]string{"d": "memory, case d", "e": "memory, case e with Lazy"}[own.use]
	return target{
		what, framework, measured, "200 ns, 2 allocations, no store call",
		r.withBaseline(metIf(reached), own),
	}
}

// withBaseline adds to a missed target the floor of use case d, which e with Lazy should
// equal, and the time of the baseline.
func (r *report) withBaseline(v verdict, own *result) verdict {
	if v != missed {
		return v
	}
	framework := own.subject.framework
	v = r.withFloor(v, framework, "d")
	for _, o := range r.memory.where(func(o *result) bool {
		s := o.subject
		return s.library == baselineName && s.framework == framework && o.use == own.use
	}) {
		v += verdict(fmt.Sprintf(
			"; part of that is [a context with the cookie](#%s): %s by the clock",
			anchor(memoryTitle(framework)), formatNanos(o.net.nanos)))
	}
	return v
}

// redisCommands returns how many commands Cloakroom sends to Redis in a use case.
func (r *report) redisCommands(framework, use string) (float64, bool) {
	for s, uses := range r.traffic {
		if s.framework == framework && s.isCloakroom() {
			t, ok := uses[use]
			return t.commands, ok
		}
	}
	return 0, false
}

func (r *report) payloadTargets() []target {
	var out []target
	small := shortKeys(1).name
	for _, framework := range frameworks() {
		for _, p := range []string{shortKeys(100).name, oneBlob(64).name} {
			one, many := r.readingOneKey(framework, small), r.readingOneKey(framework, p)
			if one == nil || many == nil {
				continue
			}
			slowdown, more := medianRatio(many.rounds, one.rounds), many.net.bytes-one.net.bytes
			out = append(out, target{
				"reading one key of " + p, framework,
				fmt.Sprintf("%s the time of 1 key (CPU: %s), %s more",
					formatRatio(slowdown.nanos), formatRatio(slowdown.cpu), formatBytes(more)),
				"2×, the rest not copied", metIf(slowdown.nanos <= 2 && more < 1000),
			})
		}
	}
	return out
}

// readingOneKey returns Cloakroom's result for reading one key of a payload.
func (r *report) readingOneKey(framework, payload string) *result {
	all := r.payload.where(func(o *result) bool { return o.payload == payload })
	return all.cloakroom(framework, inMemory, "a")
}

func (r *report) remoteTargets() []target {
	var out []target
	for i, wantedCommands := range []float64{1, 2} {
		use := useCases()[i].name
		for _, framework := range frameworks() {
			own := r.remote.cloakroom(framework, inRedis, use)
			commands, ok := r.redisCommands(framework, use)
			if own == nil || !ok {
				continue
			}
			out = append(out, target{
				"Redis, case " + use, framework, "commands: " + formatWhole(commands),
				formatWhole(wantedCommands), metIf(commands == wantedCommands),
			}, r.replayTarget(own))
			if peer := r.remote.bestPeer(framework, inRedis, use); use == "b" && peer != nil {
				gain := medianRatio(peer.rounds, own.rounds).nanos
				out = append(out, target{
					"Redis, case b", framework,
					formatRatio(gain) + " faster than " + peer.subject.library, "1×",
					metIf(gain > 1),
				})
			}
		}
	}
	return out
}

// replayTarget compares a result with the bare client.
func (r *report) replayTarget(own *result) target {
	replays := r.replaysOf(own.use)
	plain, interleaved := replays[0].rounds, replays[2].rounds
	over := medianRatio(own.rounds, plain).nanos
	v := metIf(over <= 1.1)
	if v == missed {
		const text = ": [a store without code of its own](#redis-and-nothing-else) takes %.2f"
		v += verdict(fmt.Sprintf(text, medianRatio(interleaved, plain).nanos))
	}
	return target{
		"Redis, case " + own.use, own.subject.framework,
		fmt.Sprintf("%.2f of the bare client's time", over), "1.10", v,
	}
}

func (r *report) heapTargets() []target {
	if len(r.heap) < 2 {
		return nil
	}
	own, peers := r.heap[0], r.heap[1:]
	smallest := slices.MinFunc(peers, func(a, b heapResult) int { return int(a.bytes - b.bytes) })
	fewest := slices.MinFunc(peers, func(a, b heapResult) int {
		return int(10 * (a.objects - b.objects))
	})
	return []target{
		{
			"memory, bytes for a session", own.name, formatWhole(own.bytes),
			fmt.Sprintf("below %.0f (%s)", smallest.bytes, smallest.name),
			metIf(own.bytes < smallest.bytes),
		},
		{
			"memory, heap objects for a session", own.name, formatTenths(own.objects),
			fmt.Sprintf("below %.1f (%s)", fewest.objects, fewest.name),
			metIf(own.objects < fewest.objects),
		},
		{
			"memory, full collection", own.name, formatDuration(own.collection),
			fmt.Sprintf("half of %s (%s)", formatDuration(smallest.collection), smallest.name),
			metIf(own.collection <= smallest.collection/2),
		},
		{
			"memory, longest stall while half expire", own.name,
			fmt.Sprintf("%s (%s when nothing expires)",
				formatDuration(own.stallDuring), formatDuration(own.stallBefore)),
			"1 ms", own.stallVerdict(),
		},
	}
}

// stallVerdict says whether reads stall while sessions expire. If they also stall while
// nothing expires, it cannot tell.
func (h *heapResult) stallVerdict() verdict {
	if h.stallDuring >= time.Millisecond && h.stallBefore >= time.Millisecond {
		return unknown
	}
	return metIf(h.stallDuring < time.Millisecond)
}

func (r *report) parallelTargets() []target {
	var out []target
	for _, p := range r.parallel {
		if p.subject.isCloakroom() {
			gain := ratio(p.two, p.one)
			out = append(out, target{
				"two processors", p.subject.framework, fmt.Sprintf("%.2f of one", gain), "1.7",
				metIf(gain >= 1.7),
			})
		}
	}
	return out
}

func (r *report) contentionTargets() []target {
	var out []target
	for _, c := range r.contention {
		if c.subject.isCloakroom() {
			slowdown := ratio(float64(c.concurrent), float64(c.sequential))
			out = append(out, target{
				"16 writers, " + c.subject.store, c.subject.framework,
				fmt.Sprintf("%s the time of one after another, %d lost, %d refused",
					formatRatio(slowdown), c.lost, c.refused),
				"3×, none lost", metIf(slowdown <= 3 && c.lost == 0 && c.refused == 0),
			})
		}
	}
	return out
}
