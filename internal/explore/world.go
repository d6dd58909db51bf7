package explore

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
)

// later is when grace periods, and what is added for differing clocks, are over.
const later = 5 * time.Minute

// world is everything that takes part in one run.
type world struct {
	wait     func() // waits until all goroutines are blocked
	scenario *Scenario
	manager  *core.Manager
	store    *gatedStore
	browsers []*browser
	requests []*request
	free     atomic.Bool // calls of the store do not wait for the scheduler
	// everything says that requests may be sent at any time, even if it makes no difference.
	everything bool

	now        int  // the number of steps so far
	sending    bool // requests may be sent now; see [request.sendOption]
	replyLost  bool // the reply to a save was lost
	answerLost bool // an answer was lost
	last       int  // the index of the request of the last step
	tickets    []*ticket
	stored     map[string]core.Info // the sessions that are stored after the schedule
	excused    bool                 // a rule was not applied, because no server can hold it

	mu    sync.Mutex
	trace []entry
}

// newWorld returns a world in which the start of the scenario has been set up.
func newWorld(s *Scenario, wait func()) *world {
	w := &world{wait: wait, scenario: s}
	w.free.Store(true)
	w.store = &gatedStore{memory: memstore.New(memstore.Options{}), world: w}
	w.manager = w.newManager()
	w.setUp()
	w.free.Store(false)
	w.sending = true
	return w
}

// newManager returns a manager that does what can go wrong at most.
func (w *world) newManager() *core.Manager {
	o := core.Options{
		Store: w.store, RevokeOnReuse: true, Logger: slog.New(slog.DiscardHandler),
		MaxSessions: w.scenario.Devices,
	}
	if o.MaxSessions != 0 {
		o.OnLimit = core.RefuseLogin
	}
	m, err := core.NewManager(o)
	if err != nil {
		panic(err)
	}
	return m
}

func requestNames() []string { return []string{"A", "B", "C", "D"} }

// setUp brings the browsers to where the scenario begins.
func (w *world) setUp() {
	for i, name := range []string{"browser", "other device"} {
		b := newBrowser(name, i)
		w.browsers = append(w.browsers, b)
		for _, op := range w.scenario.Start.setUp[i] {
			r := w.newRequest(name, op, b)
			r.serve()
			w.issue(r, nil)
			b.receive(r)
		}
		b.setBy = nil
		b.start = w.ticket(b.cookie())
	}
	w.trace = nil
	for _, op := range w.scenario.Requests {
		w.requests = append(w.requests, w.newRequest("", op, w.browsers[0]))
	}
	if op := w.scenario.Other; op != nil {
		w.requests = append(w.requests, w.newRequest("", op, w.browsers[1]))
	}
	for i, r := range w.requests {
		r.index, r.name = i, requestNames()[i]
	}
}

// issue notes the ticket that an answer sets.
func (w *world) issue(r, issuer *request) {
	if r.setCookie == "" || w.ticket(r.setCookie) != nil {
		return
	}
	w.tickets = append(w.tickets, &ticket{
		value: r.setCookie, id: idOf(r.setCookie), subject: r.after.subject, issuer: issuer,
	})
}

// ticket returns the ticket with a value, or nil if there is none.
func (w *world) ticket(value string) *ticket {
	for _, t := range w.tickets {
		if t.value == value {
			return t
		}
	}
	return nil
}

// close ends what is under way.
func (w *world) close() {
	w.free.Store(true)
	for _, r := range w.requests {
		for _, c := range r.stopped() {
			close(c.release)
		}
	}
	w.wait()
	time.Sleep(patience)
	w.wait()
	_ = w.manager.Close(context.Background())
}
