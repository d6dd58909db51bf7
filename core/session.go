package core

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/record"
)

// Session is the view that one request has of one session. What the handler reads and writes
// stays in memory until the middleware commits it, before the first byte of the response.
//
// A Session is safe for concurrent use by the goroutines of its request, and holds nothing that
// the framework reuses. It may be kept after the request: it then keeps its last state, and later
// changes are saved at once, or refused if they need a cookie. [Session.Save] returns the error.
type Session struct {
	manager  *Manager
	response *response

	headerValues [2]string // memory for adapter.Reply.Values of the last reply

	commitMu sync.Mutex // serializes loads and commits; acquired before mu

	mu       sync.Mutex
	verified                // the base, as last loaded or saved, and the ticket that opens it
	beside   *besideBase    // what there is to know beside the base; usually nil
	toDelete *sessionRef    // the session that Destroy has ended, until it is deleted
	pending  *delta         // changes that no commit has begun to save
	saving   *delta         // changes that a commit is saving
	device   *record.Device // where the request came from, if that is to be recorded
	failure  error          // why the next commit fails
	status   sessionStatus
	cookie   cookieAction // what the next reply does to the cookie

	saveNow func(s *Session) // saves what no commit follows; see unlock

	unloaded atomic.Bool // the session has not been loaded yet
	inFlight atomic.Bool // a load or commit is running
	dirty    atomic.Bool // a commit may have something to do

	rebaseNeeded   bool // updates in pending have to run again, because the base has changed since
	cookieOutdated bool // the request presented a retired secret
	cookieSent     bool // an earlier reply of this response sets the cookie
	accessed       bool // the handler has used the session
	passive        bool // the request does not count as use
	ticketless     bool // the request presented no well-formed ticket
	undeliveredYet bool // the request is the first to present the current secret
	issued         bool // the session began in this request, and no response has named it
	keepAlive      bool // KeepAlive waits to extend the session
	startedLate    bool // the ticket had been overtaken when the session was loaded
	goneReported   bool // an event has said that the session is gone
	crossSite      bool // the browser kept the cookie back, so no session starts but by a login
	updated        bool // an update has begun

	unsavedReported bool // an event has said why the next commit fails
	refused         refusal
}

// refusal is what unlock still has to do about a change: report that it was refused, or save it.
type refusal uint8

const (
	refusedNothing   refusal = iota
	refusedLate              // it came too late
	refusedGone              // the session has ended
	refusedCrossSite         // it is not saved, because it would start a session from another site
	refusedTimedOut          // it needs a cookie, and the request's deadline has passed
	refusedPanicked          // the handler has panicked
	savedAtOnce              // it is not refused, but no commit follows
)

// response is how far the response of a request has got. It is the one place that says whether
// a cookie can still be sent: the scope owns it, and its session refers to it.
type response struct {
	begun   bool           // the commit before the first byte has begun
	arrival arrival        // how many revocations were known when the request arrived
	state   atomic.Uint32  // a set of the bits below
	client  adapter.Client // sent the request; valid until the header is sent; may be nil
}

// The bits of response.state. Only bitCommitFailed is ever taken back.
const (
	bitSent         uint32 = 1 << iota // no cookie can be sent any more
	bitOver                            // the middleware has returned
	bitPanicked                        // the handler has panicked
	bitCommitFailed                    // the last explicit commit has failed
	bitAnswered                        // the handler has answered that with an error status
	bitGivenUp                         // nothing more can be saved
	bitEnded                           // CommitEnd has committed
	bitNewSecret                       // a commit of this request has replaced the secret
	bitCreated                         // a commit of this request has created a record
	bitUnguarded                       // the header may leave without a commit
	bitHeaderFailed                    // the commit before the first byte has failed
)

// sent reports whether no cookie can be sent any more.
func (r *response) sent() bool { return r.has(bitSent) }

// markSent notes that no cookie can be sent any more.
func (r *response) markSent() { r.set(bitSent) }

// noteCommit notes whether an explicit commit has failed.
func (r *response) noteCommit(err error) {
	if err != nil {
		r.set(bitCommitFailed)
	} else if r.has(bitCommitFailed) {
		r.state.And(^bitCommitFailed)
	}
}

// has reports whether any of the bits is set.
func (r *response) has(bits uint32) bool { return r.state.Load()&bits != 0 }

// set sets the bits. It looks first, because a load takes less time than a store.
func (r *response) set(bits uint32) {
	if r.state.Load()&bits != bits {
		r.state.Or(bits)
	}
}

type sessionStatus uint8

const (
	statusUnloaded sessionStatus = iota // the session has not been loaded
	statusNew                           // there is no session; the first write starts one
	statusLive                          // the base is a stored session
	statusGone                          // another request ended the session, or signed in with it
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
	ms, err := expiryOf(d)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if err := s.mayLast(); err != nil {
		return err
	}
	s.change().expiry = &ms
	return nil
}

// expiryOf returns the argument of SetExpiry as a delta has it.
func expiryOf(d time.Duration) (ms int64, err error) {
	switch {
	case d == Permanent:
		return 0, nil
	case d == 0:
		return followPolicy, nil
	case d < time.Second:
		return 0, fmt.Errorf(
			"sessions: SetExpiry(%v): use at least a second, Permanent, "+
				"or 0 for the manager's Expiry", d)
	}
	return d.Milliseconds(), nil
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
	if err := s.mayLast(); err != nil {
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
// start a new, anonymous session. If another identity has signed in with this session
// meanwhile, from another request, Destroy ends nothing. After the handler has panicked it ends
// nothing either, which is an [EventLost].
//
// Destroy also ends the sessions of all other valid tickets that the request has presented, as
// browsers do after a change of the cookie's domain or path, and, where somebody acts for the
// subject, their own session. It ends a session whose secret the subject's own login or step-up
// has just replaced, in another request of the browser.
func (s *Session) Destroy() {
	s.mu.Lock()
	defer s.unlock()
	s.access()
	if s.response.has(bitPanicked) {
		s.refused = refusedPanicked
		return
	}
	ref := s.refToEnd()
	if ref != nil {
		s.toDelete, s.cookie = ref, cookieRemove
		s.dirty.Store(true)
		if s.savesAtOnce() {
			s.refused = savedAtOnce
		}
	}
	if s.status == statusLive || s.status == statusNew {
		s.status = statusNew
	}
	// A commit that is running notices by the key.
	s.verified, s.pending, s.saving, s.cookieOutdated = verified{}, nil, nil, false
	s.undeliveredYet, s.issued = false, false
	if s.beside != nil {
		s.beside.others, s.beside.own = nil, nil
	}
}

// refToEnd returns what Destroy has to end, or nil if there is nothing.
func (s *Session) refToEnd() *sessionRef {
	v := s.beside.getOvertaker()
	switch {
	case s.status == statusLive:
		ref := &sessionRef{
			key: s.key(), subject: s.snap.Subject(), ticket: s.ticket, actor: s.snap.Actor(),
			unsent: s.issued, others: s.beside.getOthers(),
		}
		if own, ok := ref.ofActor(&s.manager.keyspace); ok {
			ref.others = append(slices.Clone(ref.others), own)
		}
		return ref
	case s.beside.getOwn() != nil: // ActAs is starting a session.
		v := &s.beside.own.verified
		return &sessionRef{
			key: v.snap.Record.Key, subject: v.snap.Subject(), ticket: v.ticket,
			unsent: s.beside.own.issued,
		}
	case s.status == statusGone && v != nil && v.standing.mayEnd():
		return &sessionRef{
			key: v.snap.Record.Key, subject: v.snap.Subject(), ticket: v.ticket,
		}
	}
	return nil
}

// Overtaken reports whether the request's ticket was good until another request of the browser,
// or somebody else, replaced its secret or ended its session, and why. The session of such a
// request is empty; if it happened while the request ran, the session still shows what was
// loaded. What the handler writes is refused with [ErrGone], and the response has no cookie, so
// that it does not replace the browser's. Only [Session.Login] works. The reasons are
// [ReasonSignedOut], [ReasonSignedIn], [ReasonReplaced], and those of [Event.Reason]; "" if the
// reason is not known.
//
// A ticket is recognized for [Options.Grace] and a minute. After that its bearer is a visitor
// without a session.
func (s *Session) Overtaken() (Reason, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.access()
	if s.status != statusGone || s.pending.getLogin() != nil {
		return "", false
	}
	if v := s.beside.getOvertaker(); v != nil {
		return v.reason(), true
	}
	return "", true // It is not known: the store has dropped the record, for instance.
}

// Passive says that the request is not use of the session, as a poll or a clock that the page
// starts by itself: it does not extend the session, renews no secret, and notes no device.
// Changes are saved all the same. A page that polls then cannot keep its session alive for ever.
func (s *Session) Passive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passive = true
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
		s.fail(cmp.Or(s.beside.loadErr, errNotLoaded))
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
	if s.savesAtOnce() {
		s.refused = savedAtOnce
	}
	return s.pending
}

// savesAtOnce reports whether no commit follows, so that unlock has to save each change, unless it
// needs a cookie.
func (s *Session) savesAtOnce() bool {
	return s.response.has(bitOver) && s.response.has(bitSent|bitUnguarded)
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

// actor returns who acts for the subject.
func (s *Session) actor() record.Actor {
	if l := s.latestLogin(); l != nil {
		return l.actor
	}
	return s.snap.Actor()
}

// expiresAt returns when the session ends unless it is used again, in milliseconds, or 0 if it
// never ends. A new idle timeout counts from now.
func (s *Session) expiresAt() int64 {
	m, h := s.manager, s.snap.Header()
	for _, d := range [...]*delta{s.saving, s.pending} {
		if l := d.getLogin(); l != nil || d.changesDuration() {
			m.executor.applyDuration(&h, d)
			h.Seen = time.Now().UnixMilli()
			if l != nil {
				h.Subject, h.Authenticated = []byte(l.subject), l.at
			}
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
	case s.response.has(bitPanicked):
		s.refused = refusedPanicked
		return errPanicked
	case s.status == statusGone && s.pending.getLogin() == nil:
		if !s.goneReported {
			s.refused, s.goneReported = refusedGone, true
		}
		return ErrGone
	case s.response.sent() && (needsCookie || !s.snap.Stored()):
		s.refused = refusedLate
		return ErrLate
	case s.ticketless && !s.crossSite && s.status == statusNew &&
		keptBack(s.fetch(), s.manager.sameSite):
		s.crossSite, s.refused = true, refusedCrossSite
	}
	return nil
}

// event returns an event about the session as its handler sees it.
func (s *Session) event() Event {
	return Event{
		SessionID: s.currentID(), Subject: s.currentSubject(), Actor: s.actor().Subject,
	}
}

// mayLast returns the error of a change of how long the session lasts, or nil.
func (s *Session) mayLast() error {
	if s.actor() != (record.Actor{}) {
		return errLastsAsOwn
	}
	return s.writable(true)
}

var errLastsAsOwn = errors.New("sessions: a session in which somebody acts for its subject " +
	"lasts as long as their own; call SetExpiry and Remember there")

// mayLogin returns the error of a login, or nil. Unlike other changes, a login is possible in a
// request whose ticket was overtaken.
func (s *Session) mayLogin() error {
	if s.status == statusGone && s.failure == nil && !s.response.sent() {
		return nil
	}
	return s.writable(true)
}

// fetch returns why the browser sends the request, or the zero value if nothing is known.
func (s *Session) fetch() adapter.Fetch {
	if s.response.client == nil || s.response.sent() {
		return adapter.Fetch{}
	}
	return s.response.client.Fetch()
}

// errPanicked is returned for changes that an error page makes when the handler has panicked.
var errPanicked = errors.New("sessions: the handler has panicked, so the request saves nothing; " +
	"recover from the panic inside of the session middleware if this change has to be saved")

// unlock releases s.mu. It then reports a change that was refused, because no logger and no hook
// runs under a lock, or saves one that no commit follows.
func (s *Session) unlock() {
	refused := s.refused
	if refused == refusedNothing {
		s.mu.Unlock()
		return
	}
	s.refused = refusedNothing
	if refused == savedAtOnce {
		s.mu.Unlock()
		s.saveNow(s)
		return
	}
	e := s.event()
	if v := s.beside.getOvertaker(); v != nil {
		e.SessionID, e.Reason = s.manager.keyspace.idOf(v.snap.Record.Key), v.reason()
	}
	s.mu.Unlock()
	switch refused {
	case refusedLate:
		e.Kind, e.Err = EventLate, ErrLate
		s.manager.observer.warn(e)
	case refusedPanicked:
		e.Kind, e.Err = EventLost, errPanicked
		s.manager.observer.warn(e)
	case refusedTimedOut:
		e.Kind, e.Err = EventLate, errTimedOut
		s.manager.observer.warn(e)
	case refusedCrossSite:
		e.Kind, e.Err = EventCrossSite, ErrCrossSite
		s.manager.observer.emit(e)
	case refusedGone, refusedNothing, savedAtOnce:
		e.Kind, e.Err = EventGone, ErrGone
		s.manager.observer.emit(e)
	}
}
