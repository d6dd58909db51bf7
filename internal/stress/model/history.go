// Package model knows what each session must contain, whatever order concurrent requests were carried out in.
//
// A transaction is what one commit writes. Nearly all of them append their number to a list in the session itself, its
// log, so whoever reads the session reads in which order they were applied: replaying them has to give exactly what was
// read. The log may lack no transaction that was acknowledged before the request came, has to agree with every other that
// was read, and holds nothing twice. Clearing a session clears its log, which then begins with the number of the clear.
// A few writes, the quiet ones, keep out of the log, so that not everything meets in one key: a register with a single
// writer and growing numbers, and a counter between what was acknowledged and what was tried.
//
// A write whose commit failed may have been applied, or may still be, until a later save of the same session succeeds.
// All instants are ticks of one counter, so "before" is never a matter of clocks, but for what expires.
package model

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Rules are the times of the managers that are driven.
type Rules struct {
	Idle, Grace time.Duration
}

// slack is what stores may round up, and what passes between a decision and its instant.
const slack = 1200 * time.Millisecond

// World is all sessions of a run. It is safe for concurrent use.
type World struct {
	rules Rules
	begin time.Time

	mu       sync.Mutex
	tick     int64
	lastTx   int64
	sessions []*Session
	orphans  int
}

// NewWorld returns a world without sessions.
func NewWorld(r Rules) *World { return &World{rules: r, begin: time.Now()} }

// Session is what is known of one session.
type Session struct {
	ID string

	txs        []*Tx
	byID       map[int64]*Tx
	tokens     []*Token
	canon      map[int64][]int64 // by head: the longest log seen
	superseded map[int64]int64   // heads that a later clear has replaced, and since when that is known
	heads      map[int64]int64   // heads seen, and the first time
	quiet      map[int64]count   // by head: the quiet counter as last seen
	lastSaved  time.Time
	own        bool      // it may have an idle timeout of its own
	deadAt     time.Time // when it expires, once it is left alone
	story      []string
}

type count struct {
	value int64
	at    int64
}

// Token is a cookie value that a response has set.
type Token struct {
	Session *Session
	Value   string

	name      string
	epoch     string
	born      int64
	maker     *Visit
	dead      int64     // since then it is known to open nothing
	exchanged time.Time // when its bearer got its successor
}

// Violation is a session that is not as it must be, with its story.
type Violation struct {
	Session *Session
	Text    string
	Story   string
}

// Error implements error.
func (v *Violation) Error() string {
	return fmt.Sprintf("session %s: %s\n%s", v.Session.ID, v.Text, v.Story)
}

// IsViolation reports whether err is one.
func IsViolation(err error) bool {
	var v *Violation
	return errors.As(err, &v)
}

func (s *Session) violated(format string, args ...any) error {
	if len(s.story) > 150 {
		s.story = append([]string{"..."}, s.story[len(s.story)-150:]...)
	}
	return &Violation{s, fmt.Sprintf(format, args...), strings.Join(s.story, "\n")}
}

// note adds a line to the session's story. The world is locked.
func (w *World) note(s *Session, v *Visit, format string, args ...any) {
	line := fmt.Sprintf("%6d %8.3fs %s: ", w.tick, time.Since(w.begin).Seconds(), v.label)
	s.story = append(s.story, line+fmt.Sprintf(format, args...))
}

// now is the next instant.
func (w *World) now() int64 {
	w.tick++
	return w.tick
}

// Sessions returns all sessions so far.
func (w *World) Sessions() []*Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Session(nil), w.sessions...)
}

// Orphans returns how many creates were not answered: each may have left a record that no cookie reaches.
func (w *World) Orphans() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.orphans
}

// Tokens returns the cookies of the session so far.
func (w *World) Tokens(s *Session) []*Token {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*Token(nil), s.tokens...)
}

// Ended reports whether the record of the session must be gone: it was destroyed for sure.
func (w *World) Ended(s *Session) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range s.txs {
		if t.has(Destroy) && t.outcome == Acked && t.certain && s.current(t.epoch) {
			return true
		}
	}
	return false
}

// current reports whether nobody may have signed in from this epoch.
func (s *Session) current(epoch string) bool {
	for _, t := range s.txs {
		if t.has(Login) && t.may() && t.epoch == epoch {
			return false
		}
	}
	return true
}

// Leave says that nobody will use the session any more, whose idle timeout is d, or 0 for the rules'. It reports false if
// it is not known when it will expire.
func (w *World) Leave(s *Session, d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d == 0 && s.own {
		return false
	}
	if d == 0 {
		d = w.rules.Idle
	}
	s.deadAt = time.Now().Add(d + slack)
	return true
}

// Usable reports whether a request may present the token: the session is not left alone to expire.
func (w *World) Usable(t *Token) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return t.Session.deadAt.IsZero() || time.Now().After(t.Session.deadAt)
}

// LastWas reports whether the last thing done to the session was op, and is acknowledged.
func (w *World) LastWas(s *Session, op Op) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := s.txs[len(s.txs)-1]
	return last.outcome == Acked && last.Ops[0] == op
}

// Age returns how long the world has been there, as the stories tell time.
func (w *World) Age() time.Duration { return time.Since(w.begin) }
