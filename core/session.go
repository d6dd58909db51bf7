package core

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Session is one request's view of one session. What the handler reads and writes stays in memory until the adapter
// commits, before the first byte of the response. It is safe for concurrent use by the goroutines of the request, holds
// nothing that the framework reuses, and may be kept after the request: then it still shows what it last knew, and
// [Session.Save] stores what is changed.
type Session struct {
	manager *Manager

	commitMu sync.Mutex // held during loads and commits, so that there is one at a time; taken before mu

	mu      sync.Mutex
	tickets []ticket  // what the request presented
	inline  [1]ticket // room for the usual single one
	state   state
	loadErr error    // why the last attempt to load failed
	err     error    // why an update failed, or what was used could not be loaded; the commit fails with it
	base    snapshot // as last loaded or saved
	ticket  ticket   // of this session; the secret is one the base accepts
	key     string   // store key of this session, "" until it has an id
	doomed  grave    // the session that Destroy ended, to be deleted
	pending delta    // changes not yet on their way to the store
	saving  delta    // changes that a commit has under way
	stale   bool     // pending updates were worked out over a base that has changed since
	cookie  cookieAction
	follows bool // the request held the previous secret: another one renewed the session just before
	handed  bool // a cookie is in the response's header already
	used    bool // the handler has read or written
	sealed  bool // the head of the response has gone out
	late    bool // a change came too late, which is to be reported
	lost    bool // the last commit found the session gone and dropped its changes
}

// grave names a session whose record is to be deleted.
type grave struct {
	key     string // "": there is none
	subject string
	ticket  ticket // of the request that destroyed it
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
	if s.key == "" && s.state == stateNew && s.mint() != nil {
		return ""
	}
	return s.id()
}

// IsNew reports whether nothing of this session has been stored yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return !s.base.stored()
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
	return instantOf(s.base.head.created)
}

// LastSeen returns when the session was last used: exact after a write, to a tenth of the idle timeout after reads; the
// zero time for a new one.
func (s *Session) LastSeen() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return instantOf(s.base.head.seen)
}

// Expires returns when the session ends unless it is used again; the zero time for a permanent one and for a new one.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if !s.base.stored() {
		return time.Time{}
	}
	return instantOf(s.manager.end(&s.base.head, s.base.head.seen))
}

// Keys returns the keys that have a value, sorted.
func (s *Session) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	keys := make([]string, 0, s.base.count+len(s.saving.keys)+len(s.pending.keys))
	if !s.saving.cleared && !s.pending.cleared {
		// Not by lookup, which walks the base for each key: a session may have very many.
		s.base.each(func(key, _ []byte) {
			if s.saving.findBytes(key) == nil && s.pending.findBytes(key) == nil {
				keys = append(keys, string(key))
			}
		})
	}
	if !s.pending.cleared {
		keys = s.saving.keep(keys, &s.pending)
	}
	keys = s.pending.keep(keys, &delta{})
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
	if _, ok := s.lookup(key); !ok {
		return s.err
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.pending.put(change{key: string([]byte(key))}) // the framework may own the caller's string
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
	s.pending.clear()
	return nil
}

// Destroy ends the session for good, at the commit: the record is deleted, the cookie removed, and no request that is
// still under way can bring it back. If the store fails then, the response is an error and the session goes on. What is
// written after Destroy in the same request starts a new, anonymous session.
func (s *Session) Destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	if s.state == stateLive {
		s.doomed = grave{key: s.key, subject: string(s.base.head.subject), ticket: s.ticket}
		s.cookie = cookieRemove
	}
	if s.state != stateAttached {
		s.state = stateNew
	}
	s.base, s.pending, s.saving = snapshot{}, delta{}, delta{}
	s.ticket, s.key, s.follows = ticket{}, "", false
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
	if s.base.stored() && !s.follows {
		s.pending.secret = max(s.pending.secret, secretRenew)
	}
	return nil
}

// maxSubject bounds the name of a user; real ones are far shorter.
const maxSubject = 1024

// Login binds the session to subject, keeps its id and data (another user's as well: sign that one out first, or call
// Clear), and changes the secret: the old one is dead from the moment of the commit, so that whoever planted or saw it
// is left outside (OWASP ASVS 5.0, 7.2.4). The data stay even where another user was signed in: call [Session.Clear]
// first where one must not see what the other left. The subject is any non-empty string of at most 1024 bytes. After
// the response has begun it is [ErrLate].
func (s *Session) Login(subject string) error {
	if subject == "" || len(subject) > maxSubject {
		return fmt.Errorf("sessions: Login needs a subject of 1 to %d bytes, got %d; use Destroy to sign out", maxSubject, len(subject))
	}
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if err := s.writable(true); err != nil {
		return err
	}
	s.pending.secret, s.pending.subject = secretLogin, string([]byte(subject))
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
	s.pending.expiry = &ms
	return nil
}

// expiryPolicy, as a delta's expiry, drops the session's own idle timeout.
const expiryPolicy = -1

// Format keeps the session's insides, its secret among them, out of everything that is printed.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns the session's id and nothing else.
func (s *Session) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "session(" + s.id() + ")"
}

// LogValue keeps the session's insides out of structured logs.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// The methods below expect s.mu to be held, unless they say otherwise.

// use notes that the handler looked. A session that could not be loaded has nothing to show, so the response is to
// become an error.
func (s *Session) use() {
	s.used = true
	if s.state == stateAttached && s.err == nil {
		s.err = or(s.loadErr, errNotLoaded)
	}
}

var errNotLoaded = errors.New("sessions: session was used before it was loaded; use the middleware's Get or Load")

func (s *Session) id() string {
	if s.key == "" {
		return ""
	}
	return s.manager.idOf(s.key)
}

// mint draws the ticket of a new session.
func (s *Session) mint() error {
	t, err := s.manager.newTicket()
	if err != nil {
		return err
	}
	s.ticket, s.key = t, key(s.manager.prefix, t.id)
	return nil
}

func (s *Session) subject() string {
	for _, d := range [...]*delta{&s.pending, &s.saving} {
		if d.subject != "" {
			return d.subject
		}
	}
	return string(s.base.head.subject)
}

// steady reports whether what is looked up can be relied on: no merge under way may still change it.
func (s *Session) steady(key string) bool {
	if s.err != nil || !s.saving.empty() || s.stale {
		return false
	}
	c := s.pending.find(key)
	return c == nil || len(c.updates) == 0
}

// lookup returns the encoded value under key as this request sees it.
func (s *Session) lookup(key string) ([]byte, bool) {
	for _, d := range [...]*delta{&s.pending, &s.saving} {
		if c := d.find(key); c != nil {
			return c.value, c.present
		}
		if d.cleared {
			return nil, false
		}
	}
	return s.base.find(key)
}

// writable reports why the session cannot be changed, if so. needsCookie says that the change needs a cookie sent.
func (s *Session) writable(needsCookie bool) error {
	switch {
	case s.err != nil:
		return s.err
	case s.state == stateGone:
		return ErrGone
	case s.sealed && (needsCookie || !s.base.stored()):
		s.late = true
		return ErrLate
	}
	return nil
}

// unlock releases s.mu and then reports a change that came too late: no log and no hook runs under a lock.
func (s *Session) unlock() {
	if !s.late {
		s.mu.Unlock()
		return
	}
	s.late = false
	e := Event{Kind: EventLate, SessionID: s.id(), Subject: s.subject(), Err: ErrLate}
	s.mu.Unlock()
	s.manager.warn(e)
}

// read returns the encoded value under key. It takes s.mu.
func (s *Session) read(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use()
	return s.lookup(key)
}

// remove deletes the value under key if it is still old, and reports whether it was. It takes s.mu.
func (s *Session) remove(key string, old []byte) (bool, error) {
	s.mu.Lock()
	defer s.unlock()
	if now, ok := s.lookup(key); !sameBytes(now, ok, old, true) {
		return false, nil
	}
	if err := s.writable(false); err != nil {
		return false, err
	}
	s.pending.put(change{key: string([]byte(key))})
	return true, nil
}

// write records a new encoded value. It takes s.mu.
func (s *Session) write(key string, data []byte) error {
	if len(key)+len(data) > s.manager.maxSize {
		return tooLarge(key, len(key)+len(data), s.manager.maxSize)
	}
	s.mu.Lock()
	defer s.unlock()
	s.use()
	if old, ok := s.lookup(key); sameBytes(old, ok, data, true) && s.steady(key) {
		return nil
	}
	if err := s.writable(false); err != nil {
		return err
	}
	s.pending.put(change{key: string([]byte(key)), value: data, present: true})
	return nil
}

// result is what an update made of the value it read.
type result struct {
	old     []byte
	present bool
	value   []byte
	err     error
}

// settle records the result of an update, and the update itself for the case that another request changes the value first.
// It reports false if the value is no longer the one the update read. It takes s.mu.
func (s *Session) settle(key string, again update, r result) bool {
	s.mu.Lock()
	defer s.unlock()
	if now, ok := s.lookup(key); !sameBytes(now, ok, r.old, r.present) {
		return false
	}
	if r.err == nil && sameBytes(r.old, r.present, r.value, true) && s.steady(key) {
		return true
	}
	if r.err == nil {
		r.err = s.writable(false)
	}
	if r.err == nil && len(key)+len(r.value) > s.manager.maxSize {
		r.err = tooLarge(key, len(key)+len(r.value), s.manager.maxSize)
	}
	switch {
	case r.err == nil:
		s.pending.amend(string([]byte(key)), again, r.value)
	case errors.Is(r.err, ErrGone):
		s.lost = true
	default:
		// An update has no way to return an error, so the commit does. A session that ended elsewhere is no error there.
		s.err = r.err
	}
	return true
}

func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %q takes %d bytes, MaxSize is %d", ErrTooLarge, what, size, limit)
}

// errBadValue stands in for the decoder's own error, which may quote the value.
var errBadValue = errors.New("sessions: value does not decode into the wanted type")

// badValue reports a value that does not decode. It takes s.mu.
func (s *Session) badValue(key string) {
	s.mu.Lock()
	e := Event{Kind: EventBadValue, SessionID: s.id(), Subject: s.subject(), Key: string([]byte(key)), Err: errBadValue}
	s.mu.Unlock()
	s.manager.warn(e)
}
