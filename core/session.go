package core

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Session is the view that one request has of one session. What the handler reads and writes
// stays in memory until the middleware commits it, before the first byte of the response.
//
// A Session is safe for concurrent use by the goroutines of its request, and holds nothing that
// the framework reuses. It may be kept after the request: it then keeps its last state, and
// [Session.Save] stores later changes.
type Session struct {
	manager  *Manager
	response *response

	headerValues [2]string // memory for adapter.Reply.Values of the last reply

	commitMu sync.Mutex // serializes loads and commits; acquired before mu

	mu        sync.Mutex
	verified                 // the base, as last loaded or saved, and the ticket that opens it
	toLoad    *pendingLoad   // what is still to be loaded; nil once the session is loaded
	toDelete  *sessionRef    // the session that Destroy has ended, until it is deleted
	pending   *delta         // changes that no commit has begun to save
	saving    *delta         // changes that a commit is saving
	device    *record.Device // where the request came from, if that is to be recorded
	failure   error          // why the next commit fails
	headerErr error          // the error of the commit before the first byte
	status    sessionStatus
	cookie    cookieAction // what the next reply does to the cookie

	unloaded atomic.Bool // the session has not been loaded yet
	inFlight atomic.Bool // a load or commit is running
	dirty    atomic.Bool // a commit may have something to do

	rebaseNeeded   bool // updates in pending have to run again, because the base has changed since
	cookieOutdated bool // the request presented a retired secret
	cookieSent     bool // an earlier reply of this response sets the cookie
	accessed       bool // the handler has used the session
	lateChange     bool // a change came too late, which unlock reports
	changesDropped bool // the last commit dropped changes because the session has ended
}

// response is how far the response of a request has got. It is the one place that says whether
// a cookie can still be sent: the scope owns it, and its session refers to it.
type response struct {
	begun       bool        // the commit before the first byte has begun
	headersSent atomic.Bool // set by CommitHeader and HeaderSent
}

// pendingLoad is a load that has not succeeded yet.
type pendingLoad struct {
	tickets cookie.Tickets // what the request presented
	err     error          // why the last attempt failed
}

type sessionStatus uint8

const (
	statusUnloaded sessionStatus = iota // the session has not been loaded
	statusNew                           // there is no session; the first write starts one
	statusLive                          // the base is a stored session
	statusGone                          // another request ended the session while this one ran
)

type cookieAction uint8

const (
	cookieKeep cookieAction = iota
	cookieSet
	cookieRemove
)

// ID returns the public id of the session, a UUIDv7 in canonical form. It names the session in
// logs and lists, and it authenticates nobody. A new session has an id before it is stored; the
// id changes if it turns out to be taken.
func (s *Session) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if s.key() == "" && s.status == statusNew {
		s.issueTicket(time.Now())
	}
	return s.currentID()
}

// IsNew reports whether the session has not been stored yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	return !s.snap.Stored()
}

// Created returns when the session was first stored, with a resolution of a millisecond. It is
// the zero time for a new session.
func (s *Session) Created() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	return timeOf(s.snap.Created)
}

// LastSeen returns when the session was last used. The time is exact after a write, and
// accurate to a tenth of the idle timeout after reads. It is the zero time for a new session.
func (s *Session) LastSeen() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	return timeOf(s.snap.Seen)
}

// Expires returns when the session ends unless it is used again. It is the zero time for a
// permanent session and for a new one.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if !s.snap.Stored() {
		return time.Time{}
	}
	return timeOf(s.expiresAt())
}

// Remaining returns how long the session lasts unless it is used again. It is [Permanent] for a
// permanent session, and 0 for one that is new or has ended.
func (s *Session) Remaining() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if !s.snap.Stored() || s.status == statusGone {
		return 0
	}
	end := s.expiresAt()
	if end == 0 {
		return Permanent
	}
	return max(time.Until(timeOf(end)), 0)
}

// Renew replaces the session's secret and keeps its id and data. Requests with the old secret
// are accepted for [Options.Grace], and receive the new cookie. A request that presented the
// old secret itself does not renew the session again, because that would shut out the other
// requests that were sent with it.
//
// Renew needs a cookie, so it returns [ErrLate] after the response has begun.
func (s *Session) Renew() error {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if err := s.writable(true); err != nil {
		return err
	}
	if s.snap.Stored() && !s.cookieOutdated {
		d := s.change()
		d.secret = max(d.secret, secretRenew)
	}
	return nil
}

// SetExpiry gives this session its own idle timeout: at least one second, [Permanent], or 0 to
// return to [Options.Expiry]. The timeout is stored with the session and is still limited by
// [Options.Lifetime]. On a session without data it takes effect when the first value is
// written.
//
// SetExpiry needs a cookie, so it returns [ErrLate] after the response has begun.
func (s *Session) SetExpiry(d time.Duration) error {
	ms := d.Milliseconds()
	switch {
	case d == Permanent:
		ms = 0
	case d == 0:
		ms = followPolicy
	case d < time.Second:
		return fmt.Errorf(
			"sessions: SetExpiry(%v): use at least a second, Permanent, "+
				"or 0 for the manager's Expiry", d)
	}
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if err := s.writable(true); err != nil {
		return err
	}
	s.change().expiry = &ms
	return nil
}

// Remember makes the cookie of this session outlive the browser (true) or end with it (false),
// whatever [Cookie.SessionOnly] says. The choice is stored with the session. It does not change
// how long the server keeps the session; see [Session.SetExpiry]. On a session without data it
// takes effect when the first value is written.
//
// Remember needs a cookie, so it returns [ErrLate] after the response has begun.
func (s *Session) Remember(remember bool) error {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if err := s.writable(true); err != nil {
		return err
	}
	persistence := record.CookieForget
	if remember {
		persistence = record.CookieRemember
	}
	s.change().cookie = persistence
	return nil
}

// Destroy ends the session for good. The next commit deletes its record and removes the cookie;
// no request that is still running can bring it back. If the store fails then, the response is
// an error and the session continues. Values that are written after Destroy in the same request
// start a new, anonymous session. If somebody has signed in with this session meanwhile, from
// another request, Destroy ends nothing.
func (s *Session) Destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if s.status == statusLive {
		s.toDelete = &sessionRef{key: s.key(), subject: s.snap.Subject(), ticket: s.ticket}
		s.cookie = cookieRemove
		s.dirty.Store(true)
	}
	if s.status != statusUnloaded {
		s.status = statusNew
	}
	// A commit that is running notices by the key.
	s.verified, s.pending, s.saving, s.cookieOutdated = verified{}, nil, nil, false
}

// Format prints what String returns, so that the secret is never printed.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// String returns "session(ID)", with the id of the session and nothing else.
func (s *Session) String() string {
	if s == nil {
		return "session()"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return "session(" + s.currentID() + ")"
}

// LogValue returns what String returns, so that the secret is never logged.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// The methods below expect s.mu to be held.

// access notes that the handler uses the session. If the session could not be loaded, it has
// nothing to show, so the response has to become an error.
func (s *Session) access() {
	s.accessed = true
	if s.status == statusUnloaded && s.failure == nil {
		s.fail(cmp.Or(s.toLoad.err, errNotLoaded))
	}
}

var errNotLoaded = errors.New("sessions: session was used before it was loaded; " +
	"use the middleware's Get or Load")

// fail makes the next commit fail.
func (s *Session) fail(err error) {
	s.failure = err
	s.dirty.Store(true)
}

// key returns the store key of the session, or "" if it has no id yet. A session that was found
// by its binary id gets its key here, because most requests do not need it.
func (s *Session) key() string {
	if s.status == statusLive && s.snap.Record.Key == "" {
		s.snap.Record.Key = s.manager.keyspace.key(s.ticket.ID)
	}
	return s.snap.Record.Key
}

func (s *Session) currentID() string {
	key := s.key()
	if key == "" {
		return ""
	}
	return s.manager.keyspace.idOf(key)
}

// issueTicket gives a new session its id and secret.
func (s *Session) issueTicket(now time.Time) {
	s.ticket = s.manager.executor.entropy.newTicket(now)
	s.snap.Record.Key = s.manager.keyspace.key(s.ticket.ID)
}

// ref returns the reference to a stored session.
func (s *Session) ref() *sessionRef {
	return &sessionRef{key: s.key(), subject: s.currentSubject(), ticket: s.ticket}
}

// change returns the delta that the next commit saves, to be added to.
func (s *Session) change() *delta {
	if s.pending == nil {
		s.pending = &delta{}
		s.dirty.Store(true)
	}
	return s.pending
}

// latestLogin returns the latest login that is not in the base yet, or nil if there is none.
func (s *Session) latestLogin() *login {
	if l := s.pending.getLogin(); l != nil {
		return l
	}
	return s.saving.getLogin()
}

func (s *Session) currentSubject() string {
	if l := s.latestLogin(); l != nil {
		return l.subject
	}
	return s.snap.Subject()
}

// expiresAt returns when the session ends unless it is used again, in milliseconds, or 0 if it
// never ends. A new idle timeout counts from now.
func (s *Session) expiresAt() int64 {
	m, h := s.manager, s.snap.Header()
	for _, d := range [...]*delta{s.saving, s.pending} {
		if d.changesDuration() {
			m.executor.applyDuration(&h, d)
			h.Seen = time.Now().UnixMilli()
		}
	}
	return m.timeouts.expiresAt(&h.Times, h.Seen)
}

// writable returns the error of a change, or nil if the session can be changed. A change that
// needsCookie can be saved only together with a cookie.
func (s *Session) writable(needsCookie bool) error {
	switch {
	case s.failure != nil:
		return s.failure
	case s.status == statusGone:
		return ErrGone
	case s.response.headersSent.Load() && (needsCookie || !s.snap.Stored()):
		s.lateChange = true
		return ErrLate
	}
	return nil
}

// unlock releases s.mu. It then reports a change that came too late, because no logger and no
// hook runs under a lock.
func (s *Session) unlock() {
	if !s.lateChange {
		s.mu.Unlock()
		return
	}
	s.lateChange = false
	id, subject := s.currentID(), s.currentSubject()
	s.mu.Unlock()
	s.manager.reportLate(id, subject)
}
