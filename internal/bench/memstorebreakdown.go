package bench

import (
	"context"
	"slices"
	"strings"
	"time"
)

// The purposes of CPU time in a request with a memory store. All but our own code is what any
// library has to call that keeps the same promises.
const (
	cpuClock         = "looking at the clock"
	cpuDigest        = "hashing the secret, comparing it"
	cpuRandom        = "drawing random bytes"
	cpuBase64        = "base64 of the cookie"
	cpuAllocation    = "allocating, and collecting that"
	cpuLocks         = "locks, atomic counters"
	cpuFramework     = "framework: cookie, context, header fields"
	cpuMemstore      = "own code: memory store"
	cpuTicket        = "own code: the cookie's ticket"
	cpuRecord        = "own code: reading and writing records"
	cpuCore          = "own code: the rest of core"
	cpuAdapter       = "own code: adapter"
	cpuBareFramework = "" // what the bare framework does as well
)

// memstorePurposes returns the purposes in the order of the table.
func memstorePurposes() []string {
	return []string{
		cpuClock, cpuDigest, cpuRandom, cpuBase64, cpuAllocation, cpuLocks, cpuFramework,
		cpuMemstore, cpuTicket, cpuRecord, cpuCore, cpuAdapter,
	}
}

// isOwnCode reports whether better code could reduce the time that a purpose takes.
func isOwnCode(purpose string) bool { return strings.HasPrefix(purpose, "own code") }

const modulePath = "github.com/cloakroom-go/sessions/"

// functionPurposes lists parts of function names with the purpose of these functions. The
// first one that matches counts.
func functionPurposes() []struct{ part, purpose string } {
	return []struct{ part, purpose string }{
		{"time.Now", cpuClock},
		{"time.Since", cpuClock},
		{"crypto/sha256", cpuDigest},
		{"subtle.", cpuDigest},
		{"internal/rand", cpuRandom},
		{"sysrand", cpuRandom},
		{"getrandom", cpuRandom},
		{"GetRandom", cpuRandom},
		{"encoding/base64", cpuBase64},
		{"runtime.mallocgc", cpuAllocation},
		{"runtime.gc", cpuAllocation},
		{"runtime.bgs", cpuAllocation}, // bgsweep, bgscavenge
		{"runtime.wb", cpuAllocation},
		{"runtime.growslice", cpuAllocation},
		{"runtime.makeslice", cpuAllocation},
		{"runtime.newobject", cpuAllocation},
		{"sync.(*Mutex)", cpuLocks},
		{"sync/atomic", cpuLocks},
		{"runtime/atomic", cpuLocks},
		{"WithContext", cpuFramework},
		{modulePath + "core/memstore", cpuMemstore},
		{modulePath + "core/internal/cookie", cpuTicket},
		{modulePath + "core/internal/ticket", cpuTicket},
		{modulePath + "core/internal/uuidtext", cpuTicket},
		{modulePath + "core/internal/record", cpuRecord},
		{modulePath + "core/adapter", cpuAdapter},
		{modulePath + "core", cpuCore},
		{modulePath + "gin", cpuAdapter},
		{modulePath + "echo", cpuAdapter},  // and echov5
		{modulePath + "fiber", cpuAdapter}, // and fiberv3
		{modulePath + "nethttp", cpuAdapter},
		{"fasthttp.", cpuFramework},
		{"net/http.", cpuFramework},
		{"gofiber/", cpuFramework},
		{"gin-gonic/", cpuFramework},
		{"labstack/", cpuFramework},
		{"runtime/maps", cpuFramework}, // header fields
	}
}

// purposeOf returns the purpose of a function, or cpuBareFramework if it has none of its own.
func purposeOf(name string) string {
	for _, f := range functionPurposes() {
		if strings.Contains(name, f.part) {
			return f.purpose
		}
	}
	return cpuBareFramework
}

// throughMethods returns the names of the functions of adapters that call what the bare framework
// runs as well: the next handler or the underlying writer.
func throughMethods() []string { return []string{"serve", "Write", "WriteString", "WriteHeader"} }

// callsThrough reports whether a function is one of the throughMethods, or a closure that may call
// the next handler.
func callsThrough(name string) bool {
	method := name[strings.LastIndexByte(name, '.')+1:]
	return slices.Contains(throughMethods(), method) || strings.HasPrefix(method, "func")
}

// isCloakroomFunction reports whether a function belongs to Cloakroom, and not to the harness.
func isCloakroomFunction(name string) bool {
	return strings.HasPrefix(name, modulePath) &&
		!strings.HasPrefix(name, modulePath+"internal/bench")
}

// memstorePurpose returns the purpose of a sample with the given function names, the innermost
// first. It is the purpose of the first function that has one, up to the first of Cloakroom's.
// A sample without any of Cloakroom's belongs to the bare framework or to background garbage
// collection.
func memstorePurpose(stack []string) string {
	found := cpuBareFramework
	for i, name := range stack {
		purpose := purposeOf(name)
		if found == cpuBareFramework || found == cpuFramework && purpose == cpuAllocation {
			found = purpose
		}
		if !isCloakroomFunction(name) {
			continue
		}
		if i > 0 && found == cpuFramework && callsThrough(name) &&
			!strings.Contains(stack[i-1], "WithContext") {
			return cpuBareFramework
		}
		return found
	}
	inModule := func(name string) bool { return strings.HasPrefix(name, modulePath) }
	if found == cpuAllocation && !slices.ContainsFunc(stack, inModule) {
		return cpuAllocation
	}
	return cpuBareFramework
}

// profileSubject returns a breakdown of a subject's requests, profiled for the given time.
func profileSubject(
	ctx context.Context, s *subject, u useCase, env environment, duration time.Duration,
) (cpuBreakdown, error) {
	b, err := newBenchmark(ctx, s, u, env)
	if err != nil {
		return cpuBreakdown{}, err
	}
	defer b.close()
	p, err := profileCPU(duration, func() error { return b.send(1000) })
	if err != nil {
		return cpuBreakdown{}, err
	}
	return newCPUBreakdown(s.framework, u.name, p, b.sent, memstorePurpose), nil
}

// profiledUseCases returns the use cases of the breakdowns. Use case e is left out because it
// is d, or a, with little more.
func profiledUseCases() []useCase { return useCases()[:4] }

// runMemstoreBreakdowns profiles Cloakroom's requests with its memory store.
func (r *report) runMemstoreBreakdowns(ctx context.Context, env environment) error {
	for _, s := range subjectsWhere(func(s *subject) bool {
		return s.isCloakroom() && !s.isLazy() && s.store == inMemory
	}) {
		for _, u := range profiledUseCases() {
			b, err := profileSubject(ctx, s, u, env, r.size.profileTime)
			if err != nil {
				return err
			}
			r.memstoreBreakdowns = append(r.memstoreBreakdowns, b)
		}
	}
	return nil
}

// sum returns the time spent on our own code, or on everything else.
func (b *cpuBreakdown) sum(ownCode bool) (sum float64) {
	for _, purpose := range memstorePurposes() {
		if isOwnCode(purpose) == ownCode {
			sum += b.nanos[purpose]
		}
	}
	return sum
}

// indispensable returns the time of our own code that any library needs if it finds a session
// by its cookie and keeps it as bytes.
func (b *cpuBreakdown) indispensable() float64 {
	return b.nanos[cpuMemstore] + b.nanos[cpuTicket] + b.nanos[cpuRecord]
}

// frameworkSlowdown returns how much longer the framework's own work takes than it takes in
// the bare framework.
func (r *report) frameworkSlowdown(b *cpuBreakdown) float64 {
	for _, bare := range r.memory.where(func(o *result) bool {
		return o.subject.isBare() && o.subject.framework == b.sender && o.use == b.use
	}) {
		return max(b.nanos[cpuBareFramework]-bare.net.cpu, 0)
	}
	return 0
}

// cpuFloor returns the time of everything but our own code.
func (r *report) cpuFloor(b *cpuBreakdown) float64 { return b.sum(false) + r.frameworkSlowdown(b) }

// targetCPU returns the CPU time that the target of a use case allows, or 0 if there is none.
func (r *report) targetCPU(framework, use string) float64 {
	if use == "d" {
		return untouchedNanos
	}
	peer, wanted := r.memory.bestPeer(framework, inMemory, use), wantedSpeedups(framework)[use]
	if peer == nil || wanted == 0 {
		return 0
	}
	return peer.net.cpu / wanted
}

// memstoreBreakdownTable has a column for each breakdown. Its last row is the CPU time that
// the target of the use case allows, if there is one.
func (r *report) memstoreBreakdownTable() *table {
	t := &table{header: []string{"processor time of a request, in ns, on"}}
	rows := map[string][]string{}
	add := func(row string, nanos float64) { rows[row] = append(rows[row], formatWhole(nanos)) }
	const (
		called   = "what our code calls"
		own      = "**own code**"
		slowdown = "the framework's, longer than alone"
		floor    = "**floor: these two**"
		all      = "**in all**"
		wanted   = "**wanted in all**"
	)
	for i := range r.memstoreBreakdowns {
		b := &r.memstoreBreakdowns[i]
		t.header = append(t.header, b.sender+", "+b.use)
		for _, purpose := range memstorePurposes() {
			add(purpose, b.nanos[purpose])
		}
		add(own, b.sum(true))
		add(called, b.sum(false))
		add(slowdown, r.frameworkSlowdown(b))
		add(floor, r.cpuFloor(b))
		add(all, r.cpuFloor(b)+b.sum(true))
		if allowed := r.targetCPU(b.sender, b.use); allowed > 0 {
			add(wanted, allowed)
		} else {
			rows[wanted] = append(rows[wanted], "")
		}
	}
	for _, row := range append(memstorePurposes(), own, called, slowdown, floor, all, wanted) {
		t.add(append([]string{row}, rows[row]...)...)
	}
	return t
}
