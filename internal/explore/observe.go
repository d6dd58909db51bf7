package explore

import (
	"context"
	"slices"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// observe finds out what the schedule has led to: at once, and when all grace periods are over.
func (w *world) observe() {
	w.free.Store(true)
	w.stored = w.all()
	w.look(false) // A cookie that this answer brings must not repair what the schedule has done.
	time.Sleep(later)
	w.look(true)
	// The tickets come last, because the use of an old one may end a session.
	for _, t := range slices.Backward(w.tickets) {
		t.opens = w.open(t.value)
	}
}

// all returns the sessions that are stored.
func (w *world) all() map[string]core.Info {
	all := map[string]core.Info{}
	for info, err := range w.manager.All(context.Background()) {
		if err != nil {
			panic(err)
		}
		all[info.ID] = info
	}
	return all
}

// look sends one more request from each browser. The answer arrives or is lost.
func (w *world) look(arrives bool) {
	for _, b := range w.browsers {
		if b.start == nil {
			continue // It takes no part.
		}
		if len(b.looks) == 0 {
			b.kept = w.ticket(b.cookie())
		}
		r := w.newRequest("look", read(), b)
		r.lastCallAt = w.now + 1
		r.serve()
		w.issue(r, r)
		if setBy := b.setBy; arrives {
			b.receive(r)
			b.setBy = setBy
		}
		b.looks = append(b.looks, r.after)
	}
}

// open returns what a request with a ticket sees.
func (w *world) open(value string) view {
	b := newBrowser("ticket", -1)
	b.keep(value)
	r := w.newRequest("look", read(), b)
	r.serve()
	return r.after
}

func viewOf(s *core.Session) view {
	if s.IsNew() {
		return view{}
	}
	v := view{
		id: s.ID(), subject: s.Subject(), level: s.Auth().Level, cart: cart.Get(s),
		hasCode: code.Get(s) != "", count: counter.Get(s), notes: map[string]bool{},
	}
	for _, name := range requestNames() {
		if note(name).Get(s) {
			v.notes[name] = true
		}
	}
	return v
}
