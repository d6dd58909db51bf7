package demo

import (
	"sync"

	"github.com/cloakroom-go/sessions/core"
)

// eventRow is an event as the operator page shows it.
type eventRow struct {
	Time                   timestamp
	Kind, ID, Subject, Why string
}

// Short returns the end of the id, which differs between sessions that were created at the
// same time.
func (r eventRow) Short() string { return "…" + r.ID[max(0, len(r.ID)-8):] }

// eventLog holds the latest events, without anything from their requests. It is safe for
// concurrent use.
type eventLog struct {
	mu   sync.Mutex
	ring [40]eventRow
	n    int // number of events so far
}

// add adds an event. It ignores EventLoaded, which every request with a session causes.
func (l *eventLog) add(e core.Event) {
	if e.Kind == core.EventLoaded {
		return
	}
	row := eventRow{
		Time: timestamp{e.Time}, Kind: e.Kind.String(), ID: e.SessionID, Subject: e.Subject,
		Why: string(e.Reason),
	}
	if row.Why == "" && e.Err != nil {
		row.Why = e.Err.Error()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.n%len(l.ring)] = row
	l.n++
}

// latest returns the events, the latest one first.
func (l *eventLog) latest() []eventRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]eventRow, 0, len(l.ring))
	for i := l.n - 1; i >= max(0, l.n-len(l.ring)); i-- {
		all = append(all, l.ring[i%len(l.ring)])
	}
	return all
}
