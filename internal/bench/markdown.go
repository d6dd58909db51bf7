package bench

import (
	"fmt"
	"strings"
)

// markdown returns the report as a page.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString(r.intro())
	writeSection(&b, "Targets", targetsText, r.targetTable())
	r.writeMemory(&b)
	r.writeRedis(&b)
	r.writePayloads(&b)
	r.writeParallel(&b)
	r.writeHeap(&b)
	r.writeContention(&b)
	r.writeLoad(&b)
	b.WriteString("\nNext: [Architecture](architecture.md), how it works inside.\n")
	return b.String()
}

func writeSection(b *strings.Builder, title, text string, t *table) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n%s", title, text, t)
}

// memoryTitle returns the title of the section about memory stores on a framework.
func memoryTitle(framework string) string { return "Memory stores on " + framework }

// anchor returns the fragment by which pages on GitHub link to the section with a title.
func anchor(title string) string {
	return strings.NewReplacer(" ", "-", "/", "").Replace(strings.ToLower(title))
}

func (r *report) writeMemory(b *strings.Builder) {
	b.WriteString("\n![Memory stores: time of one request](bench-memory.svg)\n")
	for _, framework := range frameworks() {
		t := r.caseTable(r.memory, framework, useCases())
		writeSection(b, memoryTitle(framework), caseText, t)
	}
	writeSection(b, "Where the time goes", memstoreBreakdownText, r.memstoreBreakdownTable())
}

func (r *report) writeRedis(b *strings.Builder) {
	b.WriteString("\n![Redis: time of one request](bench-redis.svg)\n")
	const text = "Below each time: commands and round trips of one request."
	for _, framework := range frameworks() {
		t := r.caseTable(r.remote, framework, useCases()[:3])
		writeSection(b, "Redis on "+framework, text, t)
	}
	writeSection(b, "Redis and nothing else", replayText, r.replayTable())
	writeSection(b, "Where the time of Redis goes", redisBreakdownText, r.redisBreakdownTable())
}

func (r *report) writePayloads(b *strings.Builder) {
	const text = "Times with bytes allocated."
	writeSection(b, "Reading one key of a larger session", text, r.payloadTable("a"))
	writeSection(b, "Changing one key of a larger session", text, r.payloadTable("b"))
}

func (r *report) writeParallel(b *strings.Builder) {
	const text = "Requests in a second that read one key, over %d sessions, framework included."
	sessions := r.size.parallelSessions
	writeSection(b, "Two processors", fmt.Sprintf(text, sessions), r.parallelTable())
}

func (r *report) writeHeap(b *strings.Builder) {
	b.WriteString("\n![Bytes of the heap for one session](bench-heap.svg)\n")
	title := fmt.Sprintf("Memory stores with %d sessions", r.size.heapSessions)
	writeSection(b, title, fmt.Sprintf(heapText, r.size.stallTries), r.heapTable())
}

func (r *report) writeContention(b *strings.Builder) {
	const text = "%d increments of one counter, framework included."
	all := writers * r.size.changesPerWriter
	writeSection(b, "16 writers on one session", fmt.Sprintf(text, all), r.contentionTable())
}

func (r *report) writeLoad(b *strings.Builder) {
	const text = "%d connections that are kept alive, each with a session of its own; " +
		"the load generator runs in the same process. Framework included."
	writeSection(b, "Over HTTP", fmt.Sprintf(text, loadConnections), r.loadTable())
}
