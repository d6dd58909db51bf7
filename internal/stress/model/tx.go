package model

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
)

// forever is the instant of what has not happened.
const forever = math.MaxInt64

// OpKind says what an operation does.
type OpKind string

// The operations of a request that write.
const (
	Set     OpKind = "set"
	Add     OpKind = "add" // one more, by an update
	Delete  OpKind = "delete"
	Clear   OpKind = "clear"
	Renew   OpKind = "renew"
	Login   OpKind = "login" // Key is the subject
	Expire  OpKind = "expire"
	Destroy OpKind = "destroy"
)

// Op is one operation. What a request decided not to do, as deleting what it did not find, is none.
type Op struct {
	Kind  OpKind
	Key   string
	Value int64
}

// Quiet reports whether the operation needs no place in the session's log to be checked: keys that one worker alone
// writes, with numbers that grow, and the counter that is checked by its bounds.
func (o Op) Quiet() bool {
	return strings.HasPrefix(o.Key, "q") && o.Kind == Set || o.Key == QuietCounter && o.Kind == Add
}

// QuietCounter is the counter that is written without the log.
const QuietCounter = "u"

// Outcome is how a commit ended.
type Outcome uint8

// The outcomes.
const (
	Running Outcome = iota
	Acked           // the commit returned nil
	Unknown         // it returned an error: the write may be there, now or a little later
	Gone            // it found the session ended, and dropped the write
)

// Tx is the writes of one commit.
type Tx struct {
	ID     int64
	Ops    []Op
	Logged bool // the commit appends its ID to the session's log

	epoch      string // the subject that the request's cookie was good for
	visit      *Visit
	session    *Session // nil until it is created
	token      *Token   // nil in the request that created the session
	outcome    Outcome
	start, end int64
	until      int64 // from then on it is not applied any more: an unanswered write may wait in the network
	known      int64 // since then it is known to have been applied
	certain    bool  // a Destroy whose cookie was good for sure
}

func (t *Tx) has(kind OpKind) bool {
	for _, op := range t.Ops {
		if op.Kind == kind {
			return true
		}
	}
	return false
}

// subject returns whom the transaction signs in, the subject before it if nobody.
func (t *Tx) subject(before string) string {
	for _, op := range t.Ops {
		if op.Kind == Login {
			before = op.Key
		}
	}
	return before
}

// value returns what the transaction sets key to.
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

// expired reports whether an idle timeout that the transaction sets may be over.
func (t *Tx) expired() bool {
	for _, op := range t.Ops {
		if op.Kind == Expire && op.Value > 0 && time.Since(t.visit.began) >= time.Duration(op.Value) {
			return true
		}
	}
	return false
}

// may reports whether the transaction has been applied, or may have been.
func (t *Tx) may() bool { return t.outcome != Gone }

// String shows the transaction in a story.
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

// state is a session as a sequence of transactions leaves it.
type state struct {
	subject string
	values  map[string]int64
}

// replay applies transactions one after the other, each of which has to have had a cookie that was good at its turn.
func replay(txs []*Tx) (state, error) {
	s := state{subject: txs[0].epoch, values: map[string]int64{}}
	for _, t := range txs {
		if t.epoch != s.subject {
			return s, fmt.Errorf("%v was applied with a cookie of %q when %q was signed in", t, t.epoch, s.subject)
		}
		s.apply(t)
	}
	return s, nil
}

// apply does what is not quiet.
func (s *state) apply(t *Tx) {
	for _, op := range t.Ops {
		if op.Quiet() {
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

// same compares the values that are not quiet.
func (s *state) same(seen map[string]int64) bool {
	loud := maps.Clone(seen)
	maps.DeleteFunc(loud, func(key string, _ int64) bool { return isQuiet(key) })
	return maps.Equal(loud, s.values)
}

func isQuiet(key string) bool { return key == QuietCounter || strings.HasPrefix(key, "q") }
