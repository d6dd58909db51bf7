package bench

import (
	"fmt"
	"strconv"
	"strings"
)

func (r *report) targetTable() *table {
	t := &table{header: []string{"target", "where", "measured", "wanted", "met"}}
	for _, g := range r.targets() {
		t.add(g.what, g.where, g.measured, g.wanted, string(g.met))
	}
	return t
}

// caseTable has a row for each subject on a framework and a column for each use case.
func (r *report) caseTable(all results, framework string, uses []useCase) *table {
	t := &table{header: []string{"library", "store"}}
	for _, u := range uses {
		t.header = append(t.header, u.name)
	}
	for _, s := range subjects() {
		if s.framework != framework {
			continue
		}
		row, found := []string{boldIf(s.library, s.isCloakroom()), s.store}, false
		for _, u := range uses {
			own := all.where(func(o *result) bool {
				return o.subject.String() == s.String() && o.use == u.name
			})
			found = found || len(own) > 0
			row = append(row, r.resultCell(all, own, u.name))
		}
		if found {
			t.add(row...)
		}
	}
	return t
}

// resultCell returns the cell of a subject in a use case. The slice own holds its result, or
// nothing if it was not measured.
func (r *report) resultCell(all, own results, use string) string {
	if len(own) == 0 {
		return ""
	}
	o := own[0]
	if o.failure != nil {
		return "cannot"
	}
	allocs, bytes := formatWhole(o.net.allocs), formatBytes(o.net.bytes)
	text := fmt.Sprintf("%s, %s, %s", formatNanos(o.net.nanos), allocs, bytes)
	store := strings.Replace(o.subject.store, inCookie, inMemory, 1)
	cloakroom := all.cloakroom(o.subject.framework, store, use)
	if cloakroom != nil && !o.subject.isCloakroom() && !o.subject.isBare() {
		text += " (" + formatRatio(medianRatio(o.rounds, cloakroom.rounds).nanos) + ")"
	}
	return text + r.trafficCell(o.subject, use)
}

// trafficCell returns a line for the cell of a subject with Redis: what a request sends to
// Redis.
func (r *report) trafficCell(of *subject, use string) string {
	for s, uses := range r.traffic {
		if s.String() == of.String() {
			t := uses[use]
			commands, trips := formatWhole(t.commands), formatWhole(t.trips)
			return fmt.Sprintf("<br>%s in %s: %s", commands, trips, strings.Join(t.names, " "))
		}
	}
	return ""
}

// replayTable has a column for each replay mode and each framework.
func (r *report) replayTable() *table {
	t := &table{header: []string{"case"}}
	for _, m := range replayModes() {
		t.header = append(t.header, m.name)
	}
	t.header = append(t.header, frameworks()...)
	for _, u := range useCases()[:3] {
		replays := r.replaysOf(u.name)
		plain := replays[0].rounds
		bare := medianSample(plain)
		allocs := formatWhole(bare.allocs)
		row := []string{u.name, fmt.Sprintf("%s, %s allocations", formatNanos(bare.nanos), allocs)}
		for _, p := range replays[1:] {
			row = append(row, fmt.Sprintf("%.2f of it", medianRatio(p.rounds, plain).nanos))
		}
		for _, framework := range frameworks() {
			if own := r.remote.cloakroom(framework, inRedis, u.name); own != nil {
				row = append(row, fmt.Sprintf("%.2f of it", medianRatio(own.rounds, plain).nanos))
			}
		}
		t.add(row...)
	}
	return t
}

// payloadTable has a row for each subject and a column for each payload.
func (r *report) payloadTable(use string) *table {
	t := &table{header: []string{"framework", "library", "store"}}
	for _, p := range payloads() {
		t.header = append(t.header, p.name)
	}
	for _, s := range subjects() {
		if !s.hasSessions() {
			continue
		}
		row, found := []string{s.framework, boldIf(s.library, s.isCloakroom()), s.store}, false
		for _, p := range payloads() {
			own := r.payload.where(func(o *result) bool {
				return o.subject.String() == s.String() && o.use == use && o.payload == p.name
			})
			found = found || len(own) > 0
			row = append(row, payloadCell(own))
		}
		if found {
			t.add(row...)
		}
	}
	return t
}

// payloadCell returns the cell of a subject with a payload. The slice own holds its result, or
// nothing if it was not measured.
func payloadCell(own results) string {
	switch {
	case len(own) == 0:
		return ""
	case own[0].failure != nil:
		return "cannot"
	}
	return formatNanos(own[0].net.nanos) + ", " + formatBytes(own[0].net.bytes)
}

func (r *report) parallelTable() *table {
	t := &table{header: []string{"framework", "library", "one processor", "two", "ratio"}}
	for _, p := range r.parallel {
		s := p.subject
		t.add(
			s.framework, boldIf(s.library, s.isCloakroom()),
			formatWhole(p.one), formatWhole(p.two), fmt.Sprintf("%.2f", ratio(p.two, p.one)),
		)
	}
	return t
}

func (r *report) heapTable() *table {
	t := &table{header: []string{
		"store of", "bytes for a session", "heap objects", "full collection", "longest read",
		"while half expire",
	}}
	for i, h := range r.heap {
		before, during := formatDuration(h.stallBefore), formatDuration(h.stallDuring)
		if !h.expires {
			before, during = "", "never drops any"
		}
		t.add(
			boldIf(h.name, i == 0), formatWhole(h.bytes), formatTenths(h.objects),
			formatDuration(h.collection), before, during,
		)
	}
	return t
}

func (r *report) contentionTable() *table {
	t := &table{header: []string{
		"framework", "library", "store", "one after another", "16 at once", "ratio",
		"changes lost", "refused",
	}}
	for _, c := range r.contention {
		s := c.subject
		t.add(
			s.framework, boldIf(s.library, s.isCloakroom()), s.store,
			formatDuration(c.sequential), formatDuration(c.concurrent),
			formatRatio(ratio(float64(c.concurrent), float64(c.sequential))),
			fmt.Sprintf("%d %%", 100*c.lost/max(c.all, 1)), strconv.Itoa(c.refused),
		)
	}
	return t
}

func (r *report) loadTable() *table {
	t := &table{header: []string{
		"framework", "library", "store", "read: requests a second", "p99",
		"increment: requests a second", "p99",
	}}
	for _, s := range subjects() {
		row := []string{s.framework, boldIf(s.library, s.isCloakroom()), s.store}
		for _, l := range r.load {
			if l.subject.String() == s.String() {
				row = append(row, formatWhole(l.rate), formatDuration(l.p99))
			}
		}
		if len(row) > 3 {
			t.add(row...)
		}
	}
	return t
}
