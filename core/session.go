package core

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Session is one request's view of one session. What the handler reads and writes stays in memory until the adapter
// commits, before the first byte of the response. It is safe for concurrent use by the goroutines of the request, holds
// nothing that the framework reuses, and may be kept after the request: then it still shows what it last knew, and
// [Session.Save] stores what is changed.
type Session struct {
	manager *Manager
	fields  [2]string // room for Scope.Begin to put values of header fields into, once

	commitMu sync.Mutex // held during loads and commits, so that there is one at a time; taken before mu

	mu       sync.Mutex
	tickets  *tickets    // what the request presented, nil where it is loaded already or there is none
	admitted             // the base, as last loaded or saved, and the ticket that opens it
	loadErr  error       // why the last attempt to load failed
	err      error       // why an update failed, or what was used could not be loaded; the commit fails with it
	finished error       // what the commit before the first byte came to
	doomed   *grave      // the session that Destroy ended, to be deleted
	pending  *delta      // changes not yet on their way to the store
	saving   *delta      // changes that a commit has under way
	device   *device     // where the request came from, once that was wanted
	unloaded atomic.Bool // it is still to be loaded; once it is, state says with what outcome
	busy     atomic.Bool // a load or a commit is under way
	dirty    atomic.Bool // there has been a change or an error, so that there may be something to save
	state    state
	cookie   cookieAction
	stale    bool // pending updates were worked out over a base that has changed since
	follows  bool // the request held the previous secret: another one renewed the session just before
	handed   bool // a cookie is in the response's header already
	used     bool // the handler has read or written
	sealed   bool // the head of the response has gone out
	late     bool // a change came too late, which is to be reported
	lost     bool // the last commit found the session gone and dropped its changes
}

type state uint8

const (
	stateAttached state = iota // not loaded yet
	stateNew                   // there is no session; the first write starts one
	stateLive                  // the base is a stored session
	stateGone                  // ended by somebody else while the request ran
)

type cookieAction uint8

const (
	cookieKeep cookieAction = iota
	cookieSet
	cookieRemove
)

// ID returns the session's public id, a UUIDv7 in its canonical form. It names the session in logs and lists and
// authenticates nobody. A new session has it before it is stored, and gets another in the unheard-of case that it is taken.
// "" if no id could be drawn.
func (s *Session) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if s.key() == "" && s.state == stateNew && s.mint(time.Now()) != nil {
		return ""
	}
	return s.id()
}

// IsNew reports whether nothing of this session has been stored yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return !s.snap.stored()
}

// Subject returns the signed-in user, "" while the session is anonymous.
func (s *Session) Subject() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return s.subject()
}

// Created returns when the session was first stored, to the millisecond; the zero time for a new one.
func (s *Session) Created() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return instantOf(s.snap.created)
}

// LastSeen returns when the session was last used: exact after a write, to a tenth of the idle timeout after reads; the
// zero time for a new one.
func (s *Session) LastSeen() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return instantOf(s.snap.seen)
}

// Expires returns when the session ends unless it is used again; the zero time for a permanent one and for a new one.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if !s.snap.stored() {
		return time.Time{}
	}
	return instantOf(s.end())
}

// Remaining returns how long the session lasts unless it is used again: [Permanent] for one that never ends, 0 for one that
// is new or has ended.
func (s *Session) Remaining() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if !s.snap.stored() || s.state == stateGone {
		return 0
	}
	end := s.end()
	if end == 0 {
		return Permanent
	}
	return max(time.Until(instantOf(end)), 0)
}

// Keys returns the keys that have a value, sorted.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	keys := make([]string, 0, s.snap.count)
	if !s.saving.wipes() && !s.pending.wipes() {
		// Not by lookup, which walks the base for each key: a session may have very many.
		s.snap.each(func(key, _ []byte) {
			if s.saving.findBytes(key) == nil && s.pending.findBytes(key) == nil {
				keys = append(keys, string(key))
			}
		})
	}
	if !s.pending.wipes() {
		keys = s.saving.keep(keys, s.pending)
	}
	keys = s.pending.keep(keys, nil)
	slices.Sort(keys)
	return keys
}

// Len returns how many keys have a value.
func (s *Session) Len() int { return len(s.Keys()) }

// Value decodes the value under key into what v, a pointer, points to, and reports whether there was one. A value that
// does not decode reads as absent and raises [EventBadValue]; what v points to is undefined then.
func (s *Session) Value(key string, v any) bool {
	data, ok := s.read(key)
	if !ok {
		return false
	}
	if err := s.manager.codec.Decode(data, v); err != nil {
		s.badValue(key)
		return false
	}
	return true
}

// Set stores v under key. It copies: later changes to v do not reach the session. Setting what is there already is not
// a change. The error says that v cannot be encoded, is too large, or that the session cannot take it: [ErrLate],
// [ErrGone], [ErrStore].
func (s *Session) Set(key string, v any) error {
	data, err := s.manager.codec.Encode(v)
	if err != nil {
		return fmt.Errorf("sessions: encoding %q: %w", key, err)
	}
	return s.write(key, data)
}

// Delete removes the value under key. Deleting what is not there is not a change.
func (s *Session) Delete(key string) error {
	s.mu.Lock()
	defer s.unlock()
	s.use()
	name, _, ok := s.lookup(key)
	if !ok {
		return s.err
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().put(change{key: kept(name, key)})
	return nil
}

// Clear removes all values, also those that other requests add before it is saved. The session and its user stay.
func (s *Session) Clear() error {
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(false); err != nil {
		return err
	}
	s.change().clear()
	return nil
}

// Renew changes the session's secret and keeps its id and data. The old secret is accepted for [Options.Grace] more,
// and its bearer gets the new cookie. A request that came with the old one follows that renewal instead of starting
// another, which would shut out the rest of those under way. It needs a cookie, so after the response has begun it is
// [ErrLate].
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(true); err != nil {
		return err
	}
	if s.snap.stored() && !s.follows {
		d := s.change()
		d.secret = max(d.secret, secretRenew)
	}
	return nil
}

// SetExpiry gives this session an idle timeout of its own, which persists: at least a second, [Permanent], or 0 to go
// back to [Options.Expiry]. [Options.Lifetime] still caps it. On a session without data it takes effect when the first
// value is written. It needs a cookie, so after the response has begun it is [ErrLate].
func (s *Session) SetExpiry(d time.Duration) error {
	ms := d.Milliseconds()
	switch {
	case d == Permanent:
		ms = 0
	case d == 0:
		ms = expiryPolicy
	case d < time.Second:
		return fmt.Errorf("sessions: SetExpiry(%v): use at least a second, Permanent, or 0 for the manager's Expiry", d)
	}
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(true); err != nil {
		return err
	}
	s.change().expiry = &ms
	return nil
}

// Remember makes this session's cookie outlive the browser (true) or end with it (false), whatever [Cookie.SessionOnly]
// says of the others. The choice persists. The server's side stays with Expiry and Lifetime; see [Session.SetExpiry] to
// give a remembered session more time. On a session without data it takes effect when the first value is written. It
// needs a cookie, so after the response has begun it is [ErrLate].
func (s *Session) Remember(remember bool) error {
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(true); err != nil {
		return err
	}
	span := spanForget
	if remember {
		span = spanRemember
	}
	s.change().span = span
	return nil
}

// expiryPolicy, as a delta's expiry, drops the session's own idle timeout.
const expiryPolicy = -1

// Format keeps the session's insides, its secret among them, out of everything that is printed.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns the session's id and nothing else.
func (s *Session) String() string {
	if s == nil {
		return "session()"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return "session(" + s.id() + ")"
}

// LogValue keeps the session's insides out of structured logs.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }
