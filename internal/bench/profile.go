package bench

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// anatomy is where the processor time of a contender's request goes.
type anatomy struct {
	framework, use string
	nanos          map[string]float64 // of one request, by what it is spent on
}

// of returns the time spent on our own code, or on all else.
func (a *anatomy) of(own bool) (sum float64) {
	for _, what := range spent() {
		if isOwn(what) == own {
			sum += a.nanos[what]
		}
	}
	return sum
}

// What time is spent on. All but our own code is what a library with these promises calls, whoever writes it.
const (
	onClock     = "looking at the clock"
	onDigest    = "hashing the secret, comparing it"
	onRandom    = "drawing random bytes"
	onBase64    = "base64 of the cookie"
	onMemory    = "allocating, and collecting that"
	onLocks     = "locks, atomic counters"
	onFramework = "framework: cookie, context, header fields"
	onStore     = "own code: memory store"
	onTicket    = "own code: the cookie's ticket"
	onRecord    = "own code: reading and writing records"
	onCore      = "own code: the rest of core"
	onAdapter   = "own code: adapter"
	elsewhere   = "" // what the bare framework does as well
)

// spent are the things that time is spent on, in the order of the table.
func spent() []string {
	return []string{onClock, onDigest, onRandom, onBase64, onMemory, onLocks, onFramework, onStore, onTicket, onRecord, onCore, onAdapter}
}

// isOwn reports whether it is time that better code could save.
func isOwn(what string) bool { return strings.HasPrefix(what, "own code") }

const modules = "github.com/cloakroom-go/sessions/"

// kinds tell from a function's name what it is for, the first that fits.
func kinds() []struct{ part, what string } {
	return []struct{ part, what string }{
		{"time.Now", onClock},
		{"time.Since", onClock},
		{"crypto/sha256", onDigest},
		{"subtle.", onDigest},
		{"internal/rand", onRandom},
		{"sysrand", onRandom},
		{"getrandom", onRandom},
		{"GetRandom", onRandom},
		{"encoding/base64", onBase64},
		{"runtime.mallocgc", onMemory},
		{"runtime.gc", onMemory},
		{"runtime.bgs", onMemory}, // bgsweep, bgscavenge
		{"runtime.wb", onMemory},
		{"runtime.growslice", onMemory},
		{"runtime.makeslice", onMemory},
		{"runtime.newobject", onMemory},
		{"sync.(*Mutex)", onLocks},
		{"sync/atomic", onLocks},
		{"runtime/atomic", onLocks},
		{"WithContext", onFramework},
		{modules + "core/memstore", onStore},
		{modules + "core/internal/canonical", onTicket},
		{modules + "core.(*ticket", onTicket}, // and tickets
		{modules + "core.(*snapshot)", onRecord},
		{modules + "core.(*reader)", onRecord},
		{modules + "core.(*life)", onRecord},
		{modules + "core.(*holder)", onRecord},
		{modules + "core.(*head)", onRecord},
		{modules + "core.encodeRecord", onRecord},
		{modules + "core.checksum", onRecord},
		{modules + "core", onCore},
		{modules + "gin", onAdapter},
		{modules + "echo", onAdapter},
		{modules + "fiber", onAdapter},
		{"fasthttp.", onFramework},
		{"net/http.", onFramework},
		{"gofiber/", onFramework},
		{"gin-gonic/", onFramework},
		{"labstack/", onFramework},
		{"runtime/maps", onFramework}, // header fields
	}
}

// passes reports whether a function of an adapter goes on to what the bare framework does as well: the next handler, or the
// writer below.
func passes(name string) bool {
	method := name[strings.LastIndexByte(name, '.')+1:]
	return slices.Contains([]string{"serve", "run", "Write", "WriteString", "WriteHeader"}, method) || strings.HasPrefix(method, "func")
}

// kindOf says what a function is for.
func kindOf(name string) string {
	for _, k := range kinds() {
		if strings.Contains(name, k.part) {
			return k.what
		}
	}
	return elsewhere
}

func isOurs(name string) bool {
	return strings.HasPrefix(name, modules) && !strings.HasPrefix(name, modules+"internal/bench")
}

// classify says what a sample's time was spent on, given the names of its functions, the innermost first: what the first
// that tells is for, up to the first that is ours. Without one of ours it is of the bare framework, or garbage that is
// collected in the background.
func classify(stack []string) string {
	found := elsewhere
	for i, name := range stack {
		if what := kindOf(name); found == elsewhere || found == onFramework && what == onMemory {
			found = what
		}
		if !isOurs(name) {
			continue
		}
		if i > 0 && found == onFramework && passes(name) && !strings.Contains(stack[i-1], "WithContext") {
			return elsewhere
		}
		return found
	}
	if found == onMemory && !slices.ContainsFunc(stack, func(name string) bool { return strings.HasPrefix(name, modules) }) {
		return onMemory
	}
	return elsewhere
}

// dissect measures where a contender's time goes, for a while.
func dissect(ctx context.Context, c *contender, u useCase, w world, spell time.Duration) (map[string]float64, error) {
	t, err := newTrial(ctx, c, u, w)
	if err != nil {
		return nil, err
	}
	defer t.close()
	p, err := sample(spell, func() error { return t.send(1000) })
	if err != nil {
		return nil, err
	}
	nanos := map[string]float64{}
	for _, s := range p.Sample {
		nanos[classify(names(s))] += float64(s.Value[1]) / float64(t.sent)
	}
	return nanos, nil
}

// sample profiles what is done over and over for a while.
func sample(spell time.Duration, do func() error) (*profile.Profile, error) {
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		return nil, err
	}
	var err error
	for began := time.Now(); time.Since(began) < spell && err == nil; {
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

// names are the functions of a sample, the innermost first, inlined ones among them.
func names(s *profile.Sample) []string {
	var out []string
	for _, at := range s.Location {
		for _, line := range at.Line {
			out = append(out, line.Function.Name)
		}
	}
	return out
}

// dissected are the use cases whose time is told apart: e is d, or a, with a little more.
func dissected() []useCase { return useCases()[:4] }

// runProfiles dissects this library's requests with a memory store.
func (r *report) runProfiles(ctx context.Context, w world) error {
	for _, c := range choose(func(c *contender) bool { return c.isOurs() && !c.isLazy() && c.store == memoryStore }) {
		for _, u := range dissected() {
			nanos, err := dissect(ctx, c, u, w, r.size.spell)
			if err != nil {
				return err
			}
			r.anatomies = append(r.anatomies, anatomy{c.framework, u.name, nanos})
		}
	}
	return nil
}

// indispensable returns the time of what no library can do without that finds a session by its cookie and keeps it as bytes.
func (a *anatomy) indispensable() float64 {
	return a.nanos[onStore] + a.nanos[onTicket] + a.nanos[onRecord]
}

// slower returns how much longer the bare framework's own work takes than when it is all there is to do.
func (r *report) slower(a *anatomy) float64 {
	for _, bare := range r.memory.where(func(o *result) bool {
		return o.contender.isBare() && o.contender.framework == a.framework && o.use == a.use
	}) {
		return max(a.nanos[elsewhere]-bare.net.cpu, 0)
	}
	return 0
}

// floorOf returns the time that no code of our own is part of.
func (r *report) floorOf(a *anatomy) float64 { return a.of(false) + r.slower(a) }

// allowed returns the processor time that the target of a case leaves for everything, 0 if that was not measured.
func (r *report) allowed(framework, use string) float64 {
	if faster()[use] == 0 {
		return untouched
	}
	if peer := r.memory.bestPeer(framework, memoryStore, use); peer != nil {
		return peer.net.cpu / faster()[use]
	}
	return 0
}

// anatomyTable has a column for each of them. The last row is what the target of the case leaves for everything.
func (r *report) anatomyTable() *table {
	t := &table{header: []string{"processor time of a request, in ns, on"}}
	rows := map[string][]string{}
	add := func(what string, nanos float64) { rows[what] = append(rows[what], whole(nanos)) }
	const (
		called = "what our code calls"
		own    = "**own code**"
		slower = "the framework's, longer than alone"
		floor  = "**floor: these two**"
		all    = "**in all**"
		wanted = "**wanted in all**"
	)
	for i := range r.anatomies {
		a := &r.anatomies[i]
		t.header = append(t.header, a.framework+", "+a.use)
		for _, what := range spent() {
			add(what, a.nanos[what])
		}
		add(own, a.of(true))
		add(called, a.of(false))
		add(slower, r.slower(a))
		add(floor, r.floorOf(a))
		add(all, r.floorOf(a)+a.of(true))
		add(wanted, r.allowed(a.framework, a.use))
	}
	for _, what := range append(spent(), own, called, slower, floor, all, wanted) {
		t.add(append([]string{what}, rows[what]...)...)
	}
	return t
}
