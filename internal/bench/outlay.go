package bench

import (
	"context"
	"fmt"
	"strings"
)

// outlay is where the processor time goes of a request with Redis, sent by this library or by the bare client.
type outlay struct {
	who, use string
	micros   map[string]float64 // of one request, by what it is spent on
}

// What time is spent on while Redis is talked to.
const (
	inWrite   = "writing commands to the socket"
	inRead    = "reading replies from it"
	inClient  = "the client besides that"
	inSession = "sessions, their store, the framework"
	inRest    = "the scheduler, the collector, the harness"
	inRewind  = "" // of the tape
)

// laidOut are the things that time is spent on, in the order of the table.
func laidOut() []string { return []string{inWrite, inRead, inClient, inSession, inRest} }

// outlayOf says what a sample's time was spent on, given the names of its functions, the innermost first.
func outlayOf(stack []string) string {
	found := inRest
	for _, name := range stack {
		switch {
		case strings.Contains(name, "(*tape).rewind"):
			return inRewind
		case found != inRest:
		case name == "syscall.write":
			found = inWrite
		case name == "syscall.read":
			found = inRead
		case strings.Contains(name, "redis/go-redis"):
			found = inClient
		case isOurs(name), strings.Contains(name, "gin-gonic/"):
			found = inSession
		}
	}
	return found
}

// lay profiles what send does, which tells how many requests it has sent, for some spells.
func (r *report) lay(who, use string, send func() (int, error)) error {
	const spells = 2 // half of the time is spent waiting
	sent := 0
	p, err := sample(spells*r.size.spell, func() error {
		n, err := send()
		sent += n
		return err
	})
	if err != nil {
		return fmt.Errorf("profile of %s, case %s: %w", who, use, err)
	}
	out := outlay{who, use, map[string]float64{}}
	for _, s := range p.Sample {
		out.micros[outlayOf(names(s))] += float64(s.Value[1]) / float64(sent) / 1000
	}
	r.outlays = append(r.outlays, out)
	return nil
}

// runOutlays profiles the bare client and this library on Gin, in the cases whose time is to be close to the client's.
func (r *report) runOutlays(ctx context.Context, w world, tapes []*tape) error {
	for i, u := range useCases()[:2] {
		t := tapes[i]
		if err := r.lay("bare client", u.name, func() (int, error) { return len(t.played), t.run(ctx) }); err != nil {
			return err
		}
		own, err := newTrial(ctx, choose(isOursOnGin)[0], u, w)
		if err != nil {
			return err
		}
		const requests = 500
		err = r.lay("Gin", u.name, func() (int, error) { return requests, own.send(requests) })
		own.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func tenths(n float64) string { return fmt.Sprintf("%.1f", n) }

// outlayTable has a column for each of them.
func (r *report) outlayTable() *table {
	t := &table{header: []string{"processor time of a request, in µs, on"}}
	sums := make([]string, 0, len(r.outlays))
	for _, o := range r.outlays {
		t.header = append(t.header, o.who+", "+o.use)
		sum := 0.0
		for _, what := range laidOut() {
			sum += o.micros[what]
		}
		sums = append(sums, tenths(sum))
	}
	for _, what := range laidOut() {
		row := []string{what}
		for _, o := range r.outlays {
			row = append(row, tenths(o.micros[what]))
		}
		t.add(row...)
	}
	t.add(append([]string{"**in all**"}, sums...)...)
	return t
}
