package explore

import (
	"slices"
	"time"
)

const (
	// pause is how much time passes in each step. It is longer than the manager waits before
	// it repeats a save, so that such a wait never outlasts a step.
	pause = 3 * time.Millisecond
	// patience is how long a request may wait for something other than the scheduler.
	patience = 10 * time.Second
)

// play runs one schedule. It returns false if the chooser has abandoned it.
func (w *world) play(c chooser) bool {
	for {
		w.settle()
		options := w.options()
		if len(options) == 0 {
			return w.complete()
		}
		s, ok := c.choose(options)
		if !ok {
			return false
		}
		w.now++
		w.last = s.request
		w.perform(&s)
	}
}

// settle waits until every request has stopped.
func (w *world) settle() {
	for waited := time.Duration(0); ; waited += pause {
		time.Sleep(pause)
		w.wait()
		if !w.asleep() {
			break
		}
		if waited > patience {
			panic("explore: a request waits for something that never happens\n" + w.describe())
		}
	}
	for _, r := range w.requests {
		w.finish(r)
	}
}

// asleep reports whether requests are under way and none of them is at a store call: they wait
// for time to pass.
func (w *world) asleep() bool {
	waiting := false
	for _, r := range w.requests {
		switch {
		case len(r.stopped()) > 0:
			return false
		case r.state == running:
			waiting = true
		}
	}
	return waiting
}

// finish takes note of an answer. One that does not concern the cookie arrives at once.
func (w *world) finish(r *request) {
	if r.state != answered || r.answeredAt != 0 {
		return
	}
	r.answeredAt = w.now
	w.issue(r, r)
	w.record(entry{kind: entryAnswer, request: r})
	if !r.changesCookie {
		r.state, r.arrivedAt = arrived, w.now
	}
}

// complete reports whether every request has been sent. One that was held back until another
// answer arrives may wait in vain.
func (w *world) complete() bool {
	return !slices.ContainsFunc(w.requests, func(r *request) bool { return r.state == waiting })
}

// options returns what can happen next. The search relies on the order: what a request may do at
// certain times only, which is to be sent, comes first. Then comes the request of the last step,
// so that the first schedules are those with the fewest switches.
func (w *world) options() []step {
	var options []step
	for _, r := range w.requests {
		options = r.sendOption(options)
		if len(options) > 0 && w.lastChance(r) && !w.everything {
			return options[len(options)-1:]
		}
	}
	for i := range w.requests {
		options = w.requests[(w.last+i)%len(w.requests)].options(options)
	}
	return options
}

// lastChance reports whether a request that can be sent now can never be sent later, because no
// answer to its browser is still to come.
func (w *world) lastChance(r *request) bool {
	return r.state == waiting && !slices.ContainsFunc(w.requests, func(other *request) bool {
		same := other.browser != nil && other.browser == r.browser
		return other != r && same && other.state != arrived
	})
}

// perform lets a step happen.
func (w *world) perform(s *step) {
	r := w.requests[s.request]
	w.sending = w.everything || s.kind == startRequest || s.kind == deliverAnswer && !s.lost ||
		s.kind == storeCall && w.requests[s.request].revocation != nil
	switch s.kind {
	case startRequest:
		r.start()
	case storeCall:
		w.replyLost = w.replyLost || s.lost
		r.release(s)
	case deliverAnswer:
		w.deliver(r, s.lost)
	}
}

func (w *world) deliver(r *request, lose bool) {
	r.state, r.lost, r.arrivedAt = arrived, lose, w.now
	w.record(entry{kind: entryArrival, request: r, lost: lose})
	if lose {
		w.answerLost = true
		return
	}
	r.browser.receive(r)
}
