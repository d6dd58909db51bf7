package sessiontest

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Op is an operation of a store.
type Op string

// The operations of [core.Store] and of its optional interfaces.
const (
	Load      Op = "load"
	Save      Op = "save"
	Delete    Op = "delete"
	Touch     Op = "touch"
	BySubject Op = "list subject"
	List      Op = "list"
	Count     Op = "count"
	Purge     Op = "purge"
)

// ErrDown is the error of a [Fault] that has no other. It stands for a store that cannot be
// reached.
var ErrDown = errors.New("sessiontest: the store is down")

// Fault describes how calls of a [Store] go wrong. The zero value makes every call fail with
// [ErrDown].
type Fault struct {
	// On is the operation that the fault applies to. If it is empty, the fault applies to all.
	On Op
	// Times is the number of calls that the fault applies to. Zero means all calls until
	// [Store.Heal].
	Times int
	// Err is the error that the call returns. The default is ErrDown, except with a Delay and
	// without Done: then the call is slow but succeeds.
	Err error
	// Delay is how long the call waits before it does anything else. If the context ends
	// first, the call returns the context's error; the manager's StoreTimeout sees to that.
	Delay time.Duration
	// Done makes the call take effect and then fail, as when the answer of a server is lost.
	Done bool
}

// faultPlan holds the faults that are still to happen, and counts calls.
type faultPlan struct {
	mu     sync.Mutex
	faults []Fault
	calls  map[Op]int
}

func (p *faultPlan) add(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
}

func (p *faultPlan) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// next counts a call of op and returns the fault that applies to it, or the zero Fault, which
// here means none.
func (p *faultPlan) next(op Op) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[op]++
	i := slices.IndexFunc(p.faults, func(f Fault) bool { return f.On == "" || f.On == op })
	if i < 0 {
		return Fault{}
	}
	f := p.faults[i]
	switch {
	case f.Times == 1:
		p.faults = slices.Delete(p.faults, i, i+1)
	case f.Times > 1:
		p.faults[i].Times--
	}
	return f
}

// countCalls returns the number of calls of the given operations, or of all if none is given.
func (p *faultPlan) countCalls(ops []Op) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for op, calls := range p.calls {
		if len(ops) == 0 || slices.Contains(ops, op) {
			n += calls
		}
	}
	return n
}
