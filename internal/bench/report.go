package bench

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// markdown returns the report as a page.
func (r *report) markdown() string {
	var b strings.Builder
	section := func(title, text string, t *table) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", title, text, t)
	}
	b.WriteString(r.intro())
	section("Targets", targetText, r.targetTable())
	b.WriteString("\n![Memory stores: time of one request](bench-memory.svg)\n")
	for _, framework := range frameworks() {
		section("Memory stores on "+framework, caseText, r.caseTable(r.memory, framework, useCases()))
	}
	section("Where the time goes", anatomyText, r.anatomyTable())
	b.WriteString("\n![Redis: time of one request](bench-redis.svg)\n")
	for _, framework := range frameworks() {
		section("Redis on "+framework, "Below each time: commands and round trips of one request.", r.caseTable(r.remote, framework, useCases()[:3]))
	}
	section("Redis and nothing else", floorText, r.floorTable())
	section("Where the time of Redis goes", outlayText, r.outlayTable())
	section("Reading one key of a larger session", "Times with bytes allocated.", r.payloadTable("a"))
	section("Changing one key of a larger session", "Times with bytes allocated.", r.payloadTable("b"))
	section("Two processors", fmt.Sprintf("Requests in a second that read one key, over %d sessions, framework included.", r.size.sessions), r.parallelTable())
	b.WriteString("\n![Bytes of the heap for one session](bench-heap.svg)\n")
	section(fmt.Sprintf("Memory stores with %d sessions", r.size.heap), fmt.Sprintf(heapText, r.size.tries), r.heapTable())
	section("16 writers on one session", fmt.Sprintf("%d increments of one counter, framework included.", writers*r.size.changes), r.contentionTable())
	section("Over HTTP", fmt.Sprintf("%d connections that are kept alive, each with a session of its own; the load generator runs in the same process. Framework included.", clients), r.loadTable())
	return b.String()
}

const targetText = "Times are net of the bare framework. Ratios of a memory store are to the fastest peer with a memory store on the same " +
	"framework; after \"CPU\" stands the same by the time that processors were busy, garbage collection included, which other " +
	"programs on the machine disturb less than a clock. What the floor is of a target that is missed is told [below](#where-the-time-goes)."

const caseText = "Time, allocations and bytes of one request; in brackets how many times as long as Cloakroom."

const anatomyText = "A profile of Cloakroom with its memory store, without what the bare framework does as well, garbage collected in the " +
	"background included. The floor is what no code of our own is part of. There is what our code calls because of what it promises, as " +
	"the standard library, the runtime and the framework do it: each look at the clock is a promise (the store gives out nothing " +
	"that has expired, the session keeps to its timeouts, use extends its life), so is the digest (a dump of the store " +
	"authenticates nobody), the random bytes of a new ticket, and that no session object is used twice. And there is the framework's " +
	"own work, which takes longer between ours than alone, where it has the processor's caches for itself. The last row is the fastest peer's " +
	"processor time divided by how many times as fast this is to be, in case d 200 ns: what the floor leaves of that is for our own code, and " +
	"where it leaves nothing, no code reaches it. Nor does code of this make where it leaves less than ticket, record and store take: " +
	"no library that finds a session by its cookie and keeps it as bytes can do without these. " +
	"Here more sessions are alive than in the table above, which costs the cases that write some cache."

const floorText = "The very commands that Cloakroom sends, sent again by the bare client, in the same rounds. " +
	"A deadline for each command, with a context that also ends when the request's does, is what Cloakroom promises of each call. A request " +
	"to the memory store, on Gin and the same case, is what there is to do besides: that column is a store for Redis whose own code takes no " +
	"time. It loses more than the request takes by itself, since the code of either finds the processor's caches full of the other's."

const outlayText = "Profiles of the bare client, which sends the same commands again, and of Cloakroom on Gin. The row of sessions is what " +
	"code of our own and of the framework could save; what else is more than the bare client's is the same system calls and the same " +
	"client, with other code between one command and the next."

const heapText = "Sessions of one small key, put into the stores themselves as their libraries do. The stall is the longest read while half of " +
	"the sessions expire, beside the longest of an equal time in which nothing expires: a second, and as long as a store waits " +
	"between two sweeps. Each is the least of %d runs, since the machine stalls now and then by itself, and what expiry causes " +
	"comes each time. The peers' stores sweep every 10 seconds here, scs every minute unless told so."

func (r *report) intro() string {
	return fmt.Sprintf(`# Benchmarks

Written by `+"`make bench`"+`. Cloakroom and its peers, measured side by side in one run: %s, %d processors, %s on
%s/%s, seed %d, in %s. Everything runs on that one machine, Redis and the load generator included.

Each contender proves before it is measured that sessions are loaded, changed and stored, and afterwards that each request
did what it was to do. Requests and response writers are used again and allocate nothing. Contenders take turns, %d rounds
of slots of %v for memory stores and %d of %v for Redis, in an order drawn for each round; figures are medians over
the rounds, and ratios medians of those in each round. A slot begins without garbage, and is long enough for that of a memory store to be collected.
What the bare framework takes with the same handler, in the same round, is subtracted. %d MiB of memory are held meanwhile,
so that garbage is collected as often as in a small server, and not as often as what other contenders keep alive says. %s

| case | |
|---|---|
%s
Sessions have five short keys unless stated otherwise, and requests carry no cookie but theirs. "The cookie in the context" is a
middleware that keeps the Cookie field in a context for the request and does nothing else, as cheaply as can be: Cloakroom has
to do as much for its sessions to be reached from there. Fiber session, which has no middleware, does nothing until a handler asks.
`, r.began.UTC().Format(time.DateOnly), r.processors, runtime.Version(), runtime.GOOS, runtime.GOARCH, r.seed,
		r.took.Round(time.Second), r.size.memory.rounds, r.size.memory.slot, r.size.remote.rounds, r.size.remote.slot, ballast>>20, r.place(), cases())
}

// place says where Redis ran.
func (r *report) place() string {
	if !r.apart {
		return "Redis shares the processors."
	}
	return "Redis has\na processor of its own while it is measured, and its clients the other, as if it were on another machine: left alone the\nsystem moves them together and apart, which changes a round trip by a factor of three."
}

func cases() string {
	var b strings.Builder
	for _, u := range useCases() {
		fmt.Fprintf(&b, "| %s | %s |\n", u.name, u.text)
	}
	return b.String()
}

func (r *report) targetTable() *table {
	t := &table{header: []string{"target", "where", "measured", "wanted", "met"}}
	for _, g := range r.targets() {
		t.add(g.what, g.where, g.measured, g.wanted, string(g.met))
	}
	return t
}

// caseTable has a row for each contender on a framework and a column for each case.
func (r *report) caseTable(all results, framework string, uses []useCase) *table {
	t := &table{header: []string{"library", "store"}}
	for _, u := range uses {
		t.header = append(t.header, u.name)
	}
	for _, c := range contenders() {
		if c.framework != framework {
			continue
		}
		row, found := []string{bold(c.library, c.isOurs()), c.store}, false
		for _, u := range uses {
			own := all.where(func(o *result) bool { return o.contender.String() == c.String() && o.use == u.name })
			found = found || len(own) > 0
			row = append(row, r.cell(all, own, u.name))
		}
		if found {
			t.add(row...)
		}
	}
	return t
}

// cell is a contender's result in a case.
func (r *report) cell(all, own results, use string) string {
	if len(own) == 0 {
		return ""
	}
	o := own[0]
	if o.failure != nil {
		return "cannot"
	}
	text := fmt.Sprintf("%s, %s, %s", span(o.net.nanos), whole(o.net.allocs), amount(o.net.bytes))
	if us := all.ours(o.contender.framework, strings.Replace(o.contender.store, cookieStore, memoryStore, 1), use); us != nil && !o.contender.isOurs() && !o.contender.isBare() {
		text += " (" + times(inRounds(o.rounds, us.rounds).nanos) + ")"
	}
	return text + r.sentBy(o.contender, use)
}

// sentBy is what a contender sends to Redis in a case, on a line of its own.
func (r *report) sentBy(of *contender, use string) string {
	for c, uses := range r.traffic {
		if c.String() == of.String() {
			t := uses[use]
			return fmt.Sprintf("<br>%s in %s: %s", whole(t.commands), whole(t.trips), strings.Join(t.names, " "))
		}
	}
	return ""
}

func (r *report) floorTable() *table {
	t := &table{header: []string{"case"}}
	for _, m := range manners() {
		t.header = append(t.header, m.name)
	}
	t.header = append(t.header, ourFrameworks()...)
	for _, u := range useCases()[:3] {
		floors := r.floorsOf(u.name)
		bare := medianFigure(floors[0].rounds)
		row := []string{u.name, fmt.Sprintf("%s, %s allocations", span(bare.nanos), whole(bare.allocs))}
		for _, f := range floors[1:] {
			row = append(row, fmt.Sprintf("%.2f of it", inRounds(f.rounds, floors[0].rounds).nanos))
		}
		for _, framework := range ourFrameworks() {
			if own := r.remote.ours(framework, redisStore, u.name); own != nil {
				row = append(row, fmt.Sprintf("%.2f of it", inRounds(own.rounds, floors[0].rounds).nanos))
			}
		}
		t.add(row...)
	}
	return t
}

func (r *report) payloadTable(use string) *table {
	t := &table{header: []string{"framework", "library", "store"}}
	for _, p := range payloads() {
		t.header = append(t.header, p.name)
	}
	for _, c := range contenders() {
		row, found := []string{c.framework, bold(c.library, c.isOurs()), c.store}, false
		for _, p := range payloads() {
			own := r.payload.where(func(o *result) bool {
				return o.contender.String() == c.String() && o.use == use && o.payload == p.name && c.keepsSessions()
			})
			text := ""
			if len(own) > 0 {
				found, text = true, "cannot"
				if o := own[0]; o.failure == nil {
					text = span(o.net.nanos) + ", " + amount(o.net.bytes)
				}
			}
			row = append(row, text)
		}
		if found {
			t.add(row...)
		}
	}
	return t
}

func (r *report) parallelTable() *table {
	t := &table{header: []string{"framework", "library", "one processor", "two", "ratio"}}
	for _, p := range r.throughput {
		c := p.contender
		t.add(c.framework, bold(c.library, c.isOurs()), whole(p.one), whole(p.two), fmt.Sprintf("%.2f", ratio(p.two, p.one)))
	}
	return t
}

func (r *report) heapTable() *table {
	t := &table{header: []string{"store of", "bytes for a session", "heap objects", "full collection", "longest read", "while half expire"}}
	for i, f := range r.footprints {
		calm, stall := spanOf(f.calm), spanOf(f.stall)
		if !f.sweeps {
			calm, stall = "", "never drops any"
		}
		t.add(bold(f.name, i == 0), whole(f.bytes), fmt.Sprintf("%.1f", f.objects), spanOf(f.collection), calm, stall)
	}
	return t
}

func (r *report) contentionTable() *table {
	t := &table{header: []string{"framework", "library", "store", "one after another", "16 at once", "ratio", "changes lost", "refused"}}
	for _, c := range r.contended {
		of := c.contender
		t.add(of.framework, bold(of.library, of.isOurs()), of.store, spanOf(c.one), spanOf(c.together),
			times(ratio(float64(c.together), float64(c.one))), fmt.Sprintf("%d %%", 100*c.lost/max(c.all, 1)), strconv.Itoa(c.refused))
	}
	return t
}

func (r *report) loadTable() *table {
	t := &table{header: []string{"framework", "library", "store", "read: requests a second", "p99", "increment: requests a second", "p99"}}
	for _, of := range contenders() {
		row := []string{of.framework, bold(of.library, of.isOurs()), of.store}
		for _, s := range r.served {
			if s.contender.String() == of.String() {
				row = append(row, whole(s.rate), spanOf(s.tail))
			}
		}
		if len(row) > 3 {
			t.add(row...)
		}
	}
	return t
}
