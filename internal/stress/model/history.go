// Package model checks what concurrent requests find in sessions, independently of the order
// in which they were applied.
//
// A transaction is the writes of one commit. Nearly all transactions append their number to a
// list in the session itself, its log. So a request that reads the session knows in which
// order the transactions were applied, and replaying them must give exactly what the request
// reads. The log must contain every transaction that was acknowledged before the request began
// and no transaction twice, and it must agree with every other log that was read. Clearing a
// session clears its log, which then begins with the number of the transaction that cleared
// it: its head.
//
// Some writes are not logged, so that not all writes meet in one key. Each register has a
// single writer and increasing numbers. A counter must be between what was acknowledged and
// what was tried.
//
// A transaction whose commit failed may have been applied, or may still be applied until a
// later save of the same session succeeds. All instants except those of timeouts are ticks of
// a counter, so comparing them does not depend on clocks.
package model

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Rules are the timeouts of the managers.
type Rules struct {
	Idle, Grace time.Duration
}

// slack is the tolerance for rounding in stores and for delays in the tests themselves.
const slack = 1200 * time.Millisecond

// History records what happens to all sessions of a run. It is safe for concurrent use.
type History struct {
	rules Rules
	began time.Time

	mu       sync.Mutex
	lastTick int64
	lastTx   int64
	txs      map[int64]*Tx
	sessions []*Session
	orphans  int
}

// NewHistory returns a history without sessions.
func NewHistory(r Rules) *History {
	return &History{rules: r, began: time.Now(), txs: map[int64]*Tx{}}
}

// Session is what is known about one session.
type Session struct {
	ID string

	txs        []*Tx
	byID       map[int64]*Tx
	tokens     []*Token
	logs       map[int64][]int64       // by head: the longest log seen
	heads      map[int64]int64         // by head: when it was first seen
	superseded map[int64]int64         // by head: since when it is known to be replaced
	counters   map[int64]counterSample // by head: the largest value of the unlogged counter
	lastSaved  time.Time
	idle       time.Duration
	customIdle bool      // whether it may have an idle timeout of its own
	expiresAt  time.Time // when it expires; zero unless it is abandoned
	own        *ownSession
	trace      []string
}

// counterSample is a value of the unlogged counter and when it was seen.
type counterSample struct {
	value int64
	at    int64
}

// Token is a cookie value that a response has set. It is dead when it finds no session any
// more.
type Token struct {
	Session *Session
	Value   string

	name       string
	subject    string
	twin       bool // it comes from a login that may have been one of several at the same time
	created    int64
	createdBy  *Visit
	deadSince  int64 // since when it is known to be dead
	parents    []parent
	uses       []use     // the requests that came with it
	delivered  time.Time // when a request with it had first saved
	deliveryAt int64     // the instant of delivered
}

// use is when a request came with a token.
type use struct {
	tick int64
	at   time.Time
}

// parent is a token of the same subject with which a request got another one.
type parent struct {
	token *Token
	login bool // the request has logged in again
}

// Violation is an error that reports an impossible observation of a session.
type Violation struct {
	Session *Session
	Text    string
	Trace   string
}

// Error implements error.
func (v *Violation) Error() string {
	return fmt.Sprintf("session %s: %s\n%s", v.Session.ID, v.Text, v.Trace)
}

// IsViolation reports whether err is a Violation.
func IsViolation(err error) bool {
	var v *Violation
	return errors.As(err, &v)
}

func (s *Session) violated(format string, args ...any) error {
	if len(s.trace) > 300 {
		s.trace = append([]string{"..."}, s.trace[len(s.trace)-300:]...)
	}
	return &Violation{s, fmt.Sprintf(format, args...), strings.Join(s.trace, "\n")}
}

// note adds a line to the session's trace. The caller must hold h.mu.
func (h *History) note(s *Session, v *Visit, format string, args ...any) {
	line := fmt.Sprintf("%6d %8.3fs %s: ", h.lastTick, time.Since(h.began).Seconds(), v.label)
	s.trace = append(s.trace, line+fmt.Sprintf(format, args...))
}

// now returns the next instant.
func (h *History) now() int64 {
	h.lastTick++
	return h.lastTick
}

// Sessions returns all sessions so far.
func (h *History) Sessions() []*Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Session(nil), h.sessions...)
}

// Orphans returns how many transactions that may create a session have an unknown outcome. Each
// may have left a record that no cookie finds.
func (h *History) Orphans() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.orphans
}

// Tokens returns the tokens of the session so far.
func (h *History) Tokens(s *Session) []*Token {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Token(nil), s.tokens...)
}

// Ended reports whether the record of the session must be gone because the session was
// certainly destroyed.
func (h *History) Ended(s *Session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range s.txs {
		if t.has(Destroy) && t.outcome == Acked && t.definite && s.isCurrent(t.cookieSubject) {
			return true
		}
	}
	return false
}

// MayHaveEnded reports whether a request may have destroyed the session.
func (h *History) MayHaveEnded(s *Session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range s.txs {
		if t.has(Destroy) && t.mayApply() {
			return true
		}
	}
	return false
}

// isCurrent reports whether no login may have replaced the subject.
func (s *Session) isCurrent(subject string) bool {
	for _, t := range s.txs {
		if t.changesIdentity() && t.mayApply() && t.cookieSubject == subject {
			return false
		}
	}
	return true
}

// Abandon records that the session will not be used any more until it expires. Its idle
// timeout is d; 0 means that of the rules. It returns false if it is not known when the
// session expires, or if a login with a cookie of another session may join it.
func (h *History) Abandon(s *Session, d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d == 0 && s.customIdle || s.own != nil {
		return false
	}
	if d == 0 {
		d = h.rules.Idle
	}
	s.expiresAt = time.Now().Add(d + slack)
	return true
}

// Usable reports whether a request may send the token: its session is not abandoned, or has
// expired.
func (h *History) Usable(t *Token) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return t.Session.expiresAt.IsZero() || time.Now().After(t.Session.expiresAt)
}

// LastWas reports whether the last transaction of the session begins with op and is
// acknowledged.
func (h *History) LastWas(s *Session, op Op) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := s.txs[len(s.txs)-1]
	return last.outcome == Acked && last.Ops[0] == op
}

// Age returns the time since the history began, as it is shown in traces.
func (h *History) Age() time.Duration { return time.Since(h.began) }
