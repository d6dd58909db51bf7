package bench

import (
	"fmt"
	"html"
	"strings"
)

// plot is a drawing of horizontal bars in groups.
type plot struct {
	title  string
	groups []barGroup
}

// barGroup is a list of bars that are compared with each other and share a scale.
type barGroup struct {
	title string
	bars  []bar
}

// bar is one value. Cloakroom's are highlighted.
type bar struct {
	label, text string
	value       float64
	highlighted bool
}

// Sizes of a plot in pixels.
const (
	plotWidth   = 760
	barHeight   = 16
	barLeft     = 210
	barMaxWidth = 440
)

// plotStyle works on light and dark pages.
const plotStyle = `text{font:12px system-ui,sans-serif;fill:#1f2328}` +
	`.t{font-weight:600;font-size:14px}.g{font-weight:600}` +
	`.o{fill:#0a7d4b}.p{fill:#8c96a3}` +
	`@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#3fb978}.p{fill:#6b7684}}`

// svg draws the plot.
func (p *plot) svg() string {
	var b strings.Builder
	y := 24
	text := func(x int, class, s string) {
		const format = "<text x=\"%d\" y=\"%d\" class=%q>%s</text>\n"
		fmt.Fprintf(&b, format, x, y, class, html.EscapeString(s))
	}
	text(8, "t", p.title)
	for _, g := range p.groups {
		y += 26
		text(8, "g", g.title)
		largest := g.largest()
		for _, one := range g.bars {
			y += barHeight + 3
			class := "p"
			if one.highlighted {
				class = "o"
			}
			width := max(one.value/largest*barMaxWidth, 1)
			const format = "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=%q/>\n"
			fmt.Fprintf(&b, format, barLeft, y-12, width, barHeight, class)
			text(16, "l", one.label)
			text(barLeft+int(width)+6, "v", one.text)
		}
	}
	y += 14
	return p.document(y, b.String())
}

// document returns an SVG document of the given height.
func (p *plot) document(height int, content string) string {
	const format = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" " +
		"role=\"img\" aria-label=%q>\n<style>%s</style>\n%s</svg>\n"
	return fmt.Sprintf(format, plotWidth, height, html.EscapeString(p.title), plotStyle, content)
}

// largest returns the largest value, or a very small one if all are 0.
func (g *barGroup) largest() float64 {
	largest := 1e-9
	for _, one := range g.bars {
		largest = max(largest, one.value)
	}
	return largest
}

// plots returns the plots of the report by their file names.
func (r *report) plots() map[string]string {
	const title = ": time of one request, net of the framework"
	memory := casePlot("Memory stores"+title, r.memory, inMemory)
	remote := casePlot("Redis"+title, r.remote, inRedis)
	return map[string]string{
		"bench-memory.svg": memory.svg(),
		"bench-redis.svg":  remote.svg(),
		"bench-heap.svg":   r.heapPlot().svg(),
	}
}

func (r *report) heapPlot() *plot {
	bytes := barGroup{title: "bytes of the heap for one session"}
	collection := barGroup{title: "full collection"}
	for i, h := range r.heap {
		bytes.bars = append(bytes.bars, bar{h.name, formatWhole(h.bytes), h.bytes, i == 0})
		took := formatDuration(h.collection)
		collection.bars = append(collection.bars, bar{h.name, took, float64(h.collection), i == 0})
	}
	title := fmt.Sprintf("Memory stores with %d sessions", r.size.heapSessions)
	return &plot{title: title, groups: []barGroup{bytes, collection}}
}

// casePlot returns a plot with a group for each of the first three use cases.
func casePlot(title string, all results, store string) *plot {
	p := &plot{title: title}
	for _, u := range useCases()[:3] {
		g := barGroup{title: u.name + ") " + u.text}
		for _, o := range all.where(func(o *result) bool {
			return o.use == u.name && o.subject.store == store && o.failure == nil &&
				!o.subject.isLazy()
		}) {
			label := strings.Replace(o.subject.library, "/session (", " (", 1)
			if o.subject.isCloakroom() {
				label += " on " + o.subject.framework
			}
			text := formatNanos(o.net.nanos)
			g.bars = append(g.bars, bar{label, text, o.net.nanos, o.subject.isCloakroom()})
		}
		p.groups = append(p.groups, g)
	}
	return p
}
