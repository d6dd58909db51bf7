package model

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
)

// forever is the instant of an event that has not happened.
const forever = math.MaxInt64

// OpKind is the kind of an operation.
type OpKind string

// The operations of a request that write.
const (
	Set     OpKind = "set"
	Add     OpKind = "add" // increment by Update
	Delete  OpKind = "delete"
	Clear   OpKind = "clear"
	Renew   OpKind = "renew"
	Login   OpKind = "login" // Key is the subject
	Expire  OpKind = "expire"
	Destroy OpKind = "destroy"
)

// Op is one operation that a request performs. Deleting a key that the request did not find is
// not an operation.
type Op struct {
	Kind  OpKind
	Key   string
	Value int64
}

// Unlogged reports whether the operation is checked without the session's log. These
// operations write keys that only one worker writes, with increasing numbers, and the counter
// that is checked by its bounds.
func (o Op) Unlogged() bool {
	return o.Kind == Set && strings.HasPrefix(o.Key, "q") ||
		o.Kind == Add && o.Key == UnloggedCounter
}

// UnloggedCounter is the key of the counter that is not logged.
const UnloggedCounter = "u"

// Outcome is how a commit ended.
type Outcome uint8

// The outcomes.
const (
	Running Outcome = iota
	Acked           // the commit returned nil
	Unknown         // the commit returned an error; the writes may be applied now or later
	Gone            // the session had ended, and the writes were dropped
)

// Tx is a transaction: the writes of one commit.
type Tx struct {
	ID     int64
	Ops    []Op
	Logged bool // the commit appends its ID to the session's log

	cookieSubject string // the subject of the session when the request's cookie was set
	visit         *Visit
	session       *Session // nil until it is created
	token         *Token   // nil in the request that created the session
	outcome       Outcome
	start, end    int64
	notAfter      int64 // from when on it cannot be applied any more
	knownSince    int64 // since when it is known to have been applied
	definite      bool  // a Destroy that has certainly ended the session
	loaded        *View // what its request had loaded, if that was anonymous
}

// changesIdentity reports whether the transaction logs in another subject than the one that its
// request had found.
func (t *Tx) changesIdentity() bool { return t.has(Login) && t.subject("") != t.cookieSubject }

// unsettled reports whether it is not known where the transaction was applied, if at all.
func (t *Tx) unsettled() bool { return t.outcome == Running || t.outcome == Unknown }

func (t *Tx) has(kind OpKind) bool {
	for _, op := range t.Ops {
		if op.Kind == kind {
			return true
		}
	}
	return false
}

// subject returns the subject that the transaction logs in, or before if it logs in none.
func (t *Tx) subject(before string) string {
	for _, op := range t.Ops {
		if op.Kind == Login {
			before = op.Key
		}
	}
	return before
}

// value returns the value that the transaction sets for a key.
func (t *Tx) value(key string) (value int64, ok bool) {
	for _, op := range t.Ops {
		if op.Kind == Set && op.Key == key {
			value, ok = op.Value, true
		}
	}
	return value, ok
}

func (t *Tx) adds(key string) int64 {
	var n int64
	for _, op := range t.Ops {
		if op.Kind == Add && op.Key == key {
			n++
		}
	}
	return n
}

// expired reports whether the session may have exceeded an idle timeout that the transaction
// sets.
func (t *Tx) expired() bool {
	for _, op := range t.Ops {
		idle := time.Duration(op.Value)
		if op.Kind == Expire && idle > 0 && time.Since(t.visit.began) >= idle {
			return true
		}
	}
	return false
}

// mayApply reports whether the transaction may have been applied.
func (t *Tx) mayApply() bool { return t.outcome != Gone }

// String formats the transaction for a trace.
func (t *Tx) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tx %d:", t.ID)
	for _, op := range t.Ops {
		fmt.Fprintf(&b, " %s(%s)", op.Kind, op.Key)
	}
	if t.Logged {
		b.WriteString(" +log")
	}
	return b.String()
}

// state is the state of a session after a sequence of transactions.
type state struct {
	subject string
	values  map[string]int64
}

// replay applies transactions one after another. It returns an error unless the cookie of each
// was valid at that point, or the transaction logs in the subject that is signed in: it then joins
// the session that overtook it.
func replay(txs []*Tx) (state, error) {
	s := state{subject: txs[0].cookieSubject, values: map[string]int64{}}
	for _, t := range txs {
		if t.cookieSubject != s.subject && (!t.has(Login) || t.subject("") != s.subject) {
			return s, fmt.Errorf("%v was applied with a cookie of %q when %q was signed in",
				t, t.cookieSubject, s.subject)
		}
		s.apply(t)
	}
	return s, nil
}

// apply applies the operations that are logged.
func (s *state) apply(t *Tx) {
	for _, op := range t.Ops {
		if op.Unlogged() {
			continue
		}
		switch op.Kind {
		case Set:
			s.values[op.Key] = op.Value
		case Add:
			s.values[op.Key]++
		case Delete:
			delete(s.values, op.Key)
		case Clear:
			clear(s.values)
		case Login:
			s.subject = op.Key
		case Renew, Expire, Destroy:
		}
	}
}

// same reports whether the values of all logged keys are the same.
func (s *state) same(seen map[string]int64) bool {
	logged := maps.Clone(seen)
	maps.DeleteFunc(logged, func(key string, _ int64) bool { return isUnlogged(key) })
	return maps.Equal(logged, s.values)
}

func isUnlogged(key string) bool { return key == UnloggedCounter || strings.HasPrefix(key, "q") }
