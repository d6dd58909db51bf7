package bench

import (
	"fmt"
	"html"
	"strings"
)

// plot is a drawing of horizontal bars in groups.
type plot struct {
	title  string
	groups []group
}

// group is some bars that are compared with each other: they share a scale.
type group struct {
	title string
	bars  []bar
}

// bar is one value.
type bar struct {
	label, text string
	value       float64
	ours        bool
}

// Sizes of a plot in pixels.
const (
	plotWidth = 760
	barHeight = 16
	barLeft   = 210
	barRoom   = 440 // the longest bar
)

// plotStyle suits pages of either colour.
const plotStyle = `text{font:12px system-ui,sans-serif;fill:#1f2328}.t{font-weight:600;font-size:14px}.g{font-weight:600}` +
	`.o{fill:#0a7d4b}.p{fill:#8c96a3}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#3fb978}.p{fill:#6b7684}}`

// svg draws the plot.
func (p *plot) svg() string {
	var b strings.Builder
	y := 24
	text := func(x int, class, s string) {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" class=%q>%s</text>\n", x, y, class, html.EscapeString(s))
	}
	text(8, "t", p.title)
	for _, g := range p.groups {
		y += 26
		text(8, "g", g.title)
		top := g.largest()
		for _, one := range g.bars {
			y += barHeight + 3
			class := "p"
			if one.ours {
				class = "o"
			}
			width := max(one.value/top*barRoom, 1)
			fmt.Fprintf(&b, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=%q/>\n", barLeft, y-12, width, barHeight, class)
			text(16, "l", one.label)
			text(barLeft+int(width)+6, "v", one.text)
		}
	}
	y += 14
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=%q>\n<style>%s</style>\n%s</svg>\n",
		plotWidth, y, html.EscapeString(p.title), plotStyle, b.String())
}

// largest returns the largest value, at least a little.
func (g *group) largest() float64 {
	top := 1e-9
	for _, one := range g.bars {
		top = max(top, one.value)
	}
	return top
}

// plots are the files that belong to the report.
func (r *report) plots() map[string]string {
	heap := plot{title: fmt.Sprintf("Memory stores with %d sessions", r.size.heap), groups: []group{{title: "bytes of the heap for one session"}, {title: "full collection"}}}
	for i, f := range r.footprints {
		heap.groups[0].bars = append(heap.groups[0].bars, bar{f.name, whole(f.bytes), f.bytes, i == 0})
		heap.groups[1].bars = append(heap.groups[1].bars, bar{f.name, spanOf(f.collection), float64(f.collection), i == 0})
	}
	memory := casePlot("Memory stores: time of one request, net of the framework", r.memory, memoryStore)
	remote := casePlot("Redis: time of one request, net of the framework", r.remote, redisStore)
	return map[string]string{"bench-memory.svg": memory.svg(), "bench-redis.svg": remote.svg(), "bench-heap.svg": heap.svg()}
}

// casePlot has a group for each of the first three cases.
func casePlot(title string, all results, store string) *plot {
	p := &plot{title: title}
	for _, u := range useCases()[:3] {
		g := group{title: u.name + ") " + u.text}
		for _, o := range all.where(func(o *result) bool {
			return o.use == u.name && o.contender.store == store && o.failure == nil && !o.contender.isLazy()
		}) {
			label := strings.Replace(o.contender.library, "/session (", " (", 1)
			if o.contender.isOurs() {
				label += " on " + o.contender.framework
			}
			g.bars = append(g.bars, bar{label, span(o.net.nanos), o.net.nanos, o.contender.isOurs()})
		}
		p.groups = append(p.groups, g)
	}
	return p
}
