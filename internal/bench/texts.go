package bench

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// The texts of the page. Each line break in them is written as it is.

const introText = "# Benchmarks\n\n" +
	"Written by `make bench`. Cloakroom and its peers, measured side by side in one run: " +
	"%s, %d processors, %s on\n" +
	"%s/%s, seed %d, in %s. Everything runs on that one machine, " +
	"Redis and the load generator included.\n\n" +
	"Each subject proves before it is measured that sessions are loaded, changed and stored, " +
	"and afterwards that each request\n" +
	"did what it was to do. Requests and response writers are used again and allocate nothing. " +
	"Subjects take turns, %d rounds\n" +
	"of slots of %v for memory stores and %d of %v for Redis, in an order drawn for each round; " +
	"figures are medians over\n" +
	"the rounds, and ratios medians of those in each round. A slot begins without garbage, " +
	"and is long enough for that of a memory store to be collected.\n" +
	"What the bare framework takes with the same handler, in the same round, is subtracted. " +
	"%d MiB of memory are held meanwhile,\n" +
	"so that garbage is collected as often as in a small server, " +
	"and not as often as what other subjects keep alive says. %s\n\n" +
	"| case | |\n" +
	"|---|---|\n" +
	"%s\n" +
	"Sessions have five short keys unless stated otherwise, and requests carry no cookie but " +
	"theirs. \"The cookie in the context\" is a\n" +
	"middleware that keeps the Cookie field in a context for the request and does nothing else, " +
	"as cheaply as can be: Cloakroom has\n" +
	"to do as much for its sessions to be reached from there. " +
	"Fiber session, which has no middleware, does nothing until a handler asks.\n" +
	"Fiber v3 session is a middleware that saves after every request, and stores a session for " +
	"every visitor. \"Echo\" is Echo v4,\n" +
	"and \"Fiber\" is Fiber v2.\n"

const redisPinnedText = "Redis has\n" +
	"a processor of its own while it is measured, and its clients the other, as if it were on " +
	"another machine: left alone the\n" +
	"system moves them together and apart, which changes a round trip by a factor of three."

const targetsText = "" +
	"Times are net of the bare framework. Each ratio of a memory store is to the fastest peer " +
	"with a memory store on the same framework. After \"CPU\" stands the same ratio of " +
	"processor time, garbage collection included, which other programs on the machine disturb " +
	"less than time by the clock. Where a target is missed, the floor is explained " +
	"[below](#where-the-time-goes)."

const caseText = "" +
	"Time, allocations and bytes of one request; in brackets how many times as long as " +
	"Cloakroom."

const memstoreBreakdownText = "" +
	"A profile of Cloakroom with its memory store, without what the bare framework does as " +
	"well, garbage collected in the background included. The floor is what no code of our " +
	"own is part of. There is what our code calls because of what it promises, as the " +
	"standard library, the runtime and the framework do it: each look at the clock is a " +
	"promise (the store gives out nothing that has expired, the session keeps to its " +
	"timeouts, use extends its life), so is the digest (a dump of the store authenticates " +
	"nobody), the random bytes of a new ticket, and that no session object is used twice. " +
	"And there is the framework's own work, which takes longer between ours than alone, " +
	"where it has the processor's caches for itself. The last row is what the target " +
	"allows: the processor time of the fastest peer, divided by how many times as fast as " +
	"that Cloakroom should be, or 200 ns in case d. It is empty where there is no target. " +
	"What the floor leaves of it is for our own code, and where it leaves nothing, no " +
	"code reaches it. Nor does code of this make where it leaves less than ticket, record " +
	"and store take: no library that finds a session by its cookie and keeps it as bytes " +
	"can do without these. Here more sessions are alive than in the table above, which " +
	"costs the cases that write some cache."

const replayText = "" +
	"The very commands that Cloakroom sends, sent again by the bare client, in the same " +
	"rounds. A deadline for each command, with a context that also ends when the request's " +
	"does, is what Cloakroom promises of each call. A request to the memory store, on Gin " +
	"and the same case, is what there is to do besides: that column is a store for Redis " +
	"whose own code takes no time. It loses more than the request takes by itself, since " +
	"the code of either finds the processor's caches full of the other's."

const redisBreakdownText = "" +
	"Profiles of the bare client, which sends the same commands again, and of Cloakroom on " +
	"Gin. The row of sessions is what code of our own and of the framework could save; " +
	"what else is more than the bare client's is the same system calls and the same " +
	"client, with other code between one command and the next."

const heapText = "" +
	"Sessions of one small key, put into the stores themselves as their libraries do. The " +
	"stall is the longest read while half of the sessions expire, beside the longest of an " +
	"equal time in which nothing expires: a second, and as long as a store waits between " +
	"two sweeps. Each is the least of %d runs, since the machine stalls now and then by " +
	"itself, and what expiry causes comes each time. The peers' stores sweep every 10 " +
	"seconds here, scs every minute unless told so."

func (r *report) intro() string {
	memory, remote := &r.size.memory, &r.size.remote
	return fmt.Sprintf(introText,
		r.began.UTC().Format(time.DateOnly), r.processors, runtime.Version(),
		runtime.GOOS, runtime.GOARCH, r.seed, r.took.Round(time.Second),
		memory.rounds, memory.slot, remote.rounds, remote.slot,
		ballast>>20, r.redisPlacement(), useCaseRows(),
	)
}

// redisPlacement says on which processors Redis ran.
func (r *report) redisPlacement() string {
	if !r.redisPinned {
		return "Redis shares the processors."
	}
	return redisPinnedText
}

func useCaseRows() string {
	var b strings.Builder
	for _, u := range useCases() {
		fmt.Fprintf(&b, "| %s | %s |\n", u.name, u.text)
	}
	return b.String()
}
