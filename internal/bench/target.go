package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// target is what is to be reached, and what was measured.
type target struct {
	what, where, measured, wanted string
	met                           verdict
}

// verdict says whether a target is met.
type verdict string

const (
	met     verdict = "yes"
	missed  verdict = "**no**"
	unknown verdict = "cannot tell: the machine stalls by itself"
)

func verdictOf(reached bool) verdict {
	if reached {
		return met
	}
	return missed
}

// targets holds the measurements against what is to be reached.
func (r *report) targets() []target {
	return slices.Concat(
		r.memoryTargets(), r.untouchedTargets(), r.payloadTargets(), r.remoteTargets(),
		r.heapTargets(), r.parallelTargets(), r.contentionTargets(),
	)
}

// ourFrameworks are those that this library has an adapter for.
func ourFrameworks() []string { return frameworks()[:3] }

// faster says how many times as fast as the best peer a case with a memory store is to be.
func faster() map[string]float64 { return map[string]float64{"a": 20, "b": 12, "c": 3} }

func (r *report) memoryTargets() []target {
	var out []target
	for _, goal := range []struct {
		use   string
		alloc float64
	}{{"a", 5}, {"b", 10}, {"c", 12}} {
		wanted := faster()[goal.use]
		for _, framework := range ourFrameworks() {
			own, peer := r.memory.ours(framework, memoryStore, goal.use), r.memory.bestPeer(framework, memoryStore, goal.use)
			if own == nil || peer == nil {
				continue
			}
			gain := inRounds(peer.rounds, own.rounds)
			out = append(out, target{
				"memory, case " + goal.use, framework,
				fmt.Sprintf("%s faster (CPU: %s) than %s, %s allocations", times(gain.nanos), times(gain.cpu), peer.contender.library, whole(own.net.allocs)),
				fmt.Sprintf("%s, %s", times(wanted), whole(goal.alloc)),
				r.floored(verdictOf(gain.nanos >= wanted && own.net.allocs < goal.alloc+0.5), framework, goal.use),
			})
		}
	}
	return out
}

// floored adds to a target that is missed what of the processor time for it is gone before any code of our own.
func (r *report) floored(v verdict, framework, use string) verdict {
	for i := range r.anatomies {
		if a := &r.anatomies[i]; v == missed && a.framework == framework && a.use == use {
			v += verdict(fmt.Sprintf(": the floor is %s of %s ns", whole(r.floorOf(a)), whole(r.allowed(framework, use))))
			if more := a.indispensable(); more > 0 && faster()[use] > 0 {
				v += verdict("; ticket, record and store take " + whole(more))
			}
		}
	}
	return v
}

// untouched is how many nanoseconds a session may take that no handler asks for.
const untouched = 200

// untouchedTargets are about sessions that no handler asks for. Of them no command reaches Redis, so no call any store.
func (r *report) untouchedTargets() []target {
	var out []target
	for _, framework := range ourFrameworks() {
		for _, own := range r.memory.where(func(o *result) bool {
			c := o.contender
			return c.framework == framework && c.isOurs() && (o.use == "d" && !c.isLazy() || o.use == "e" && c.isLazy())
		}) {
			reached := own.net.nanos < untouched && own.net.allocs < 2.5
			measured := fmt.Sprintf("%s (CPU: %s), %s allocations", span(own.net.nanos), span(own.net.cpu), whole(own.net.allocs))
			if commands, ok := r.commands(framework, own.use); ok && own.use == "d" {
				measured += fmt.Sprintf(", %s store calls", whole(commands))
				reached = reached && commands == 0
			}
			what := map[string]string{"d": "memory, case d", "e": "memory, case e with Lazy"}[own.use]
			out = append(out, target{what, framework, measured, "200 ns, 2 allocations, no store call", r.untouchedVerdict(verdictOf(reached), own)})
		}
	}
	return out
}

// untouchedVerdict adds to a target that is missed the floor of case d, since with Lazy e is to be the same, and what a
// middleware takes that only keeps the cookie.
func (r *report) untouchedVerdict(v verdict, own *result) verdict {
	if v != missed {
		return v
	}
	v = r.floored(v, own.contender.framework, "d")
	for _, o := range r.memory.where(func(o *result) bool {
		return o.contender.library == cookieKept && o.contender.framework == own.contender.framework && o.use == own.use
	}) {
		v += verdict("; part of that is [a context with the cookie](#memory-stores-on-" + strings.ToLower(own.contender.framework) + "): " + span(o.net.nanos) + " by the clock")
	}
	return v
}

// commands returns how many this library sends to Redis in a use case.
func (r *report) commands(framework, use string) (float64, bool) {
	for c, uses := range r.traffic {
		if c.framework == framework && c.isOurs() {
			t, ok := uses[use]
			return t.commands, ok
		}
	}
	return 0, false
}

func (r *report) payloadTargets() []target {
	var out []target
	small := shortKeys(1).name
	for _, framework := range ourFrameworks() {
		for _, p := range []string{shortKeys(100).name, oneBlob(64).name} {
			one, many := r.reading(framework, small), r.reading(framework, p)
			if one == nil || many == nil {
				continue
			}
			slower, more := inRounds(many.rounds, one.rounds), many.net.bytes-one.net.bytes
			out = append(out, target{
				"reading one key of " + p, framework,
				fmt.Sprintf("%s the time of 1 key (CPU: %s), %s more", times(slower.nanos), times(slower.cpu), amount(more)),
				"2×, the rest not copied", verdictOf(slower.nanos <= 2 && more < 1000),
			})
		}
	}
	return out
}

// reading returns this library's result for reading one key of a payload.
func (r *report) reading(framework, payload string) *result {
	return r.payload.where(func(o *result) bool { return o.payload == payload }).ours(framework, memoryStore, "a")
}

func (r *report) remoteTargets() []target {
	var out []target
	for use, want := range []float64{1, 2} {
		name := useCases()[use].name
		for _, framework := range ourFrameworks() {
			own := r.remote.ours(framework, redisStore, name)
			commands, ok := r.commands(framework, name)
			if own == nil || !ok {
				continue
			}
			floors := r.floorsOf(name)
			over, least := inRounds(own.rounds, floors[0].rounds).nanos, inRounds(floors[2].rounds, floors[0].rounds).nanos
			near := verdictOf(over <= 1.1)
			if near == missed {
				near += verdict(fmt.Sprintf(": [a store without code of its own](#redis-and-nothing-else) takes %.2f", least))
			}
			out = append(out,
				target{"Redis, case " + name, framework, "commands: " + whole(commands), whole(want), verdictOf(commands == want)},
				target{"Redis, case " + name, framework, fmt.Sprintf("%.2f of the bare client's time", over), "1.10", near},
			)
			if peer := r.remote.bestPeer(framework, redisStore, name); name == "b" && peer != nil {
				gain := inRounds(peer.rounds, own.rounds).nanos
				out = append(out, target{"Redis, case b", framework, times(gain) + " faster than " + peer.contender.library, "1×", verdictOf(gain > 1)})
			}
		}
	}
	return out
}

func (r *report) heapTargets() []target {
	if len(r.footprints) < 2 {
		return nil
	}
	own, peers := r.footprints[0], r.footprints[1:]
	lean := slices.MinFunc(peers, func(a, b footprint) int { return int(a.bytes - b.bytes) })
	few := slices.MinFunc(peers, func(a, b footprint) int { return int(10 * (a.objects - b.objects)) })
	return []target{
		{"memory, bytes for a session", own.name, whole(own.bytes), fmt.Sprintf("below %.0f (%s)", lean.bytes, lean.name), verdictOf(own.bytes < lean.bytes)},
		{"memory, heap objects for a session", own.name, fmt.Sprintf("%.1f", own.objects), fmt.Sprintf("below %.1f (%s)", few.objects, few.name), verdictOf(own.objects < few.objects)},
		{"memory, full collection", own.name, spanOf(own.collection), fmt.Sprintf("half of %s (%s)", spanOf(lean.collection), lean.name), verdictOf(own.collection <= lean.collection/2)},
		{"memory, longest stall while half expire", own.name, fmt.Sprintf("%s (%s when nothing expires)", spanOf(own.stall), spanOf(own.calm)), "1 ms", own.verdict()},
	}
}

// verdict says whether expiry stalls nobody. A machine that stalls without expiry hides the answer.
func (f *footprint) verdict() verdict {
	if f.stall >= time.Millisecond && f.calm >= time.Millisecond {
		return unknown
	}
	return verdictOf(f.stall < time.Millisecond)
}

func (r *report) parallelTargets() []target {
	var out []target
	for _, t := range r.throughput {
		if t.contender.isOurs() {
			gain := ratio(t.two, t.one)
			out = append(out, target{"two processors", t.contender.framework, fmt.Sprintf("%.2f of one", gain), "1.7", verdictOf(gain >= 1.7)})
		}
	}
	return out
}

func (r *report) contentionTargets() []target {
	var out []target
	for _, c := range r.contended {
		if c.contender.isOurs() {
			slower := ratio(float64(c.together), float64(c.one))
			out = append(out, target{
				"16 writers, " + c.contender.store, c.contender.framework,
				fmt.Sprintf("%s the time of one after another, %d lost, %d refused", times(slower), c.lost, c.refused),
				"3×, none lost", verdictOf(slower <= 3 && c.lost == 0 && c.refused == 0),
			})
		}
	}
	return out
}
