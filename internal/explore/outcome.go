package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// outcome returns what the run has led to, as text.
func (w *world) outcome() string {
	n := newNames()
	var text strings.Builder
	for _, r := range w.requests {
		fmt.Fprintln(&text, r.name, r.status, r.taken, r.changesCookie, r.dropped)
		fmt.Fprintln(&text, r.lost, r.replyLost)
	}
	for _, b := range w.browsers {
		for i := range b.looks {
			v := &b.looks[i]
			fmt.Fprintln(&text, b.name, n.session(v.id), v.subject, v.level)
			fmt.Fprintln(&text, v.cart, v.count, v.notes)
		}
	}
	subjects := map[string]int{}
	for id := range w.stored {
		subjects[w.stored[id].Subject]++
	}
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		fmt.Fprintln(&text, subjects[subject], "sessions of", subject)
	}
	return text.String()
}
