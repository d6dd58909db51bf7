// Package cookie finds tickets in the Cookie fields of a request and formats the Set-Cookie
// field of a response (RFC 6265bis).
package cookie

import (
	"strings"

	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// MaxTickets is how many tickets of one request are tried. A browser sends several cookies of
// one name if they were set for different paths or domains, which a neighboring subdomain can
// do on purpose.
const MaxTickets = 4

// Tickets holds the distinct tickets of a request.
type Tickets struct {
	n     int
	first ticket.Ticket
	more  *[MaxTickets - 1]ticket.Ticket
}

// Len returns the number of tickets.
func (ts *Tickets) Len() int { return ts.n }

// At returns the ticket with the index i.
func (ts *Tickets) At(i int) *ticket.Ticket {
	if i == 0 {
		return &ts.first
	}
	return &ts.more[i-1]
}

// Find adds the well-formed tickets in cookies called name, in the order of the Cookie field
// values, up to MaxTickets.
func (ts *Tickets) Find(name string, fields []string) {
	for _, field := range fields {
		for field != "" && ts.n < MaxTickets {
			var pair string
			pair, field, _ = strings.Cut(field, ";")
			ts.add(pair, name)
		}
	}
}

// add adds the ticket in one name=value pair, if there is one and it is not there yet. Spaces
// and tabs around the pair are ignored; a quoted value is not a ticket.
func (ts *Tickets) add(pair, name string) {
	if pair != "" && (pair[0] <= ' ' || pair[len(pair)-1] <= ' ') {
		pair = strings.Trim(pair, " \t")
	}
	n := len(name)
	if len(pair) != n+1+ticket.TextLength || pair[n] != '=' || pair[:n] != name {
		return
	}
	var next ticket.Ticket
	if !next.Parse(pair[n+1:]) {
		return
	}
	for i := range ts.n {
		if *ts.At(i) == next {
			return
		}
	}
	if ts.n == 1 {
		ts.more = new([MaxTickets - 1]ticket.Ticket)
	}
	ts.n++
	*ts.At(ts.n - 1) = next
}
