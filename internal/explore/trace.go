package explore

import (
	"fmt"
	"strconv"
	"strings"
)

type entryKind uint8

const (
	entryStart entryKind = iota
	entryCall
	entryAnswer
	entryArrival
)

// entry is one line of what happened in a run.
type entry struct {
	kind    entryKind
	request *request
	call    *call
	err     error
	lost    bool
}

func (w *world) record(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, e)
}

// switches counts how often the run changes from one request to another.
func (w *world) switches() int {
	n := 0
	for i := 1; i < len(w.trace); i++ {
		if w.trace[i].request != w.trace[i-1].request {
			n++
		}
	}
	return n
}

// names gives ids and cookie values short names, in the order in which they are asked for.
type names struct {
	given  map[string]string
	counts map[string]int
}

func newNames() *names { return &names{map[string]string{}, map[string]int{}} }

func (n *names) of(kind, what string) string {
	key := kind + what
	if n.given[key] == "" {
		n.counts[kind]++
		n.given[key] = kind + strconv.Itoa(n.counts[kind])
	}
	return n.given[key]
}

func (n *names) session(id string) string { return n.of("s", id) }

func (n *names) ticket(t *ticket) string {
	if t == nil {
		return "without a cookie"
	}
	return "with " + n.cookie(t.value)
}

func (n *names) cookie(value string) string {
	return n.of("c", value) + " of " + n.session(idOf(value))
}

// describe returns the run as text, a line for each step.
func (w *world) describe() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := newNames()
	var text strings.Builder
	for _, b := range w.browsers {
		if b.start != nil {
			fmt.Fprintf(&text, "     the %s begins %s (%s)\n",
				b.name, n.ticket(b.start), who(b.start.subject))
		}
	}
	for i := range w.trace {
		fmt.Fprintf(&text, "  %2d %s\n", i+1, w.trace[i].describe(n))
	}
	for _, b := range w.browsers {
		w.describeEnd(&text, n, b)
	}
	return text.String()
}

// describeEnd adds what the browser finds after the schedule.
func (w *world) describeEnd(text *strings.Builder, n *names, b *browser) {
	if len(b.looks) == 0 {
		return
	}
	fmt.Fprintf(text, "     the %s ends %s\n", b.name, n.ticket(b.kept))
	for i, when := range []string{"at once", "later"} {
		v := b.looks[i]
		session := "no session"
		if v.id != "" {
			session = n.session(v.id)
		}
		fmt.Fprintf(text, "       %s it sees %s, %s, cart %q, counter %d, notes %d\n",
			when, session, who(v.subject), v.cart, v.count, len(v.notes))
	}
}

func who(subject string) string {
	if subject == "" {
		return "not signed in"
	}
	return "signed in as " + subject
}

func (e *entry) describe(n *names) string {
	r := e.request
	switch e.kind {
	case entryStart:
		if r.browser == nil {
			return r.title() + " begins"
		}
		return r.title() + " is sent by the " + r.browser.name + " " + n.ticket(r.presented)
	case entryCall:
		return r.title() + ": " + e.describeCall(n)
	case entryAnswer:
		return r.title() + " answers " + r.describeAnswer(n)
	case entryArrival:
	}
	if e.lost {
		return r.title() + ": the answer is lost"
	}
	return r.title() + ": the answer reaches the browser"
}

func (e *entry) describeCall(n *names) string {
	text := e.call.name
	if e.call.key != "" {
		text += " " + n.session(strings.TrimPrefix(e.call.key, "session:"))
	}
	switch {
	case e.lost:
		return text + ", and the reply is lost"
	case e.err != nil:
		return text + ": " + strings.TrimPrefix(e.err.Error(), "sessions: ")
	}
	return text
}

func (r *request) title() string { return r.name + " (" + r.action.name + ")" }

func (r *request) describeAnswer(n *names) string {
	text := strconv.Itoa(r.status)
	switch {
	case r.setCookie != "":
		text += ", Set-Cookie " + n.cookie(r.setCookie)
	case r.changesCookie:
		text += ", removes the cookie"
	}
	if r.dropped {
		text += " (changes dropped)"
	}
	return text
}
