package explore

// stepKind says what continues in a step.
type stepKind uint8

const (
	startRequest  stepKind = iota // the browser sends the request
	storeCall                     // the store carries out a call
	deliverAnswer                 // the answer reaches the browser
)

// A step is one thing that the scheduler can let happen.
type step struct {
	request int // the index of the request
	kind    stepKind
	lost    bool // the reply of the store, or the answer to the browser, is lost
	call    int  // the number of the store call within its request, for storeCall
	// moment says that a login arrives or begins or that a revocation goes on, because the rules
	// compare when, or that the manager has locks for all sessions of a user.
	moment bool

	// What the step affects.
	browser int    // the index of the browser, or -1
	access  access // of the store, for storeCall
	key     string // of the record, or "" for a list
}

// access is what a store call does to records.
type access uint8

const (
	reads access = iota
	writes
	lists
)

// is reports whether both are the same step, possibly in different schedules.
func (s *step) is(t *step) bool {
	return s.request == t.request && s.kind == t.kind && s.lost == t.lost && s.call == t.call
}

// commutes reports whether the steps lead to the same result in either order.
func (s *step) commutes(t *step) bool {
	switch {
	case s.request == t.request, s.kind == t.kind && s.lost && t.lost, s.moment && t.moment:
		return false
	case s.kind == storeCall && t.kind == storeCall:
		return s.commutesInStore(t)
	case s.kind == storeCall || t.kind == storeCall:
		return true
	case s.browser != t.browser, s.kind == startRequest && t.kind == startRequest:
		return true
	}
	return s.lost || t.lost // A lost answer does not reach the cookies of the browser.
}

// commutesInStore is commutes for two calls of the store.
func (s *step) commutesInStore(t *step) bool {
	if s.access != writes && t.access != writes {
		return true
	}
	return s.access != lists && t.access != lists && s.key != t.key
}
