package core

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// Scope carries a session through one request. It is for adapters: the middleware opens it
// before the handler, puts it into the request's context, commits it before the first byte of
// the response, and closes it afterwards.
//
// A Scope is a context: that of the request, with the session in it. The zero value is ready
// for [Scope.Open], and is used for one request only. The session may be used by several
// goroutines; the methods that commit are for the one that serves the request.
type Scope struct {
	context.Context //nolint:containedctx // A scope is the request's context, set by Open.

	manager *Manager
	outer   *Scope // the scope of another manager's middleware around this one
	cookies string // the Cookie fields, for a session that is loaded later

	// session is nil until there is something to hold, because a session is the largest
	// allocation there is, and most requests bring no cookie and do not ask for one.
	session  atomic.Pointer[Session]
	response response
}

// noSession is the session of a scope whose response has begun without one, until the handler
// asks for a session after all.
var noSession = new(Session) //nolint:gochecknoglobals // A constant: nothing changes it.

// ScopeKey is the key of the innermost scope in the context of a request. It is for adapters.
type ScopeKey struct{}

// ScopeOf returns the innermost scope in ctx, or nil if there is none. It is for adapters.
func ScopeOf(ctx context.Context) *Scope {
	sc, _ := ctx.Value(ScopeKey{}).(*Scope)
	return sc
}

// FromContext returns the session of the innermost scope in ctx. It returns false if there is no
// scope, or if the session cannot be loaded. It is for adapters, which give it to applications.
func FromContext(ctx context.Context) (*Session, bool) {
	return ScopeOf(ctx).Lookup()
}

// Value returns the scope itself for [ScopeKey], and the value of the request's context for any
// other key.
func (sc *Scope) Value(key any) any {
	if _, ok := key.(ScopeKey); ok {
		return sc
	}
	return sc.Context.Value(key)
}

// Of returns the scope of m among sc and the scopes around it, or nil if there is none. The
// scope sc may be nil.
func (sc *Scope) Of(m *Manager) *Scope {
	for ; sc != nil; sc = sc.outer {
		if sc.manager == m {
			return sc
		}
	}
	return nil
}

// Outer returns the scope of the next middleware outside, or nil if there is none.
func (sc *Scope) Outer() *Scope { return sc.outer }

// Open begins a request: it reads the values of the Cookie fields and loads the session. If the
// manager is lazy, it does neither yet, and the strings must stay valid until the response has
// been sent; otherwise they are not kept.
//
// The scope outer is the innermost scope in ctx, as returned by [ScopeOf], or nil. The client,
// which may be nil, must be valid until the response has begun.
//
// An error is a failure of the store: the adapter must answer it without running the handler.
// Open panics if a scope around this one uses a cookie of the same name, because one cookie
// cannot carry two sessions, and if m was not made by [NewManager].
func (sc *Scope) Open(
	ctx context.Context, outer *Scope, m *Manager, client adapter.Client, cookieFields ...string,
) error {
	m.MustBeMade()
	sc.Context, sc.manager, sc.outer, sc.response.client = ctx, m, outer, client
	sc.response.arrival = m.records.revocations.arrive()
	for ; outer != nil; outer = outer.outer {
		if outer.manager.CookieName() == m.CookieName() {
			panic("sessions: two managers use the cookie " + m.CookieName() + " in one request; " +
				"mount one manager in both places, or give one of them another Cookie.Name")
		}
	}
	if m.lazy {
		sc.cookies = strings.Join(cookieFields, ";")
		return nil
	}
	var presented cookie.Tickets
	if presented.Find(m.CookieName(), cookieFields); presented.Len() == 0 {
		return nil
	}
	s := newSession(m, &sc.response)
	err := s.loadUnshared(ctx, &presented)
	sc.session.Store(s)
	return err
}

// Get returns the session. If the manager is lazy, Get loads it first; if that fails, the
// session is empty, and using it makes the commit fail. Get panics if sc is nil, because the
// middleware is missing; [Scope.Lookup] does not.
func (sc *Scope) Get() *Session {
	if s, err := sc.Load(); err == nil {
		return s
	}
	return sc.getSession() // It remembers the error.
}

// Load is like Get, but returns the error of the load, for the handler to answer.
func (sc *Scope) Load() (*Session, error) {
	if sc == nil {
		panic("sessions: no session in this request; mount sessions.New or sessions.Middleware " +
			"in front of the handler. An error handler, and whatever else also runs for " +
			"requests without a session, takes Lookup or FromContext instead, which report " +
			"that there is none")
	}
	s := sc.getSession()
	if err := s.load(sc.Context); err != nil {
		return nil, err
	}
	if sc.response.has(bitOver) {
		s.useLate(sc.Context)
	}
	return s, nil
}

// Lookup is like Load, but returns false if sc is nil or if the session cannot be loaded. It
// never panics.
func (sc *Scope) Lookup() (*Session, bool) {
	if sc == nil {
		return nil, false
	}
	s, err := sc.Load()
	return s, err == nil
}

// GetFrom returns the session of m among sc and the scopes around it, like Get. It panics if there
// is none.
func (sc *Scope) GetFrom(m *Manager) *Session {
	of := sc.Of(m)
	if of == nil && sc != nil {
		panic("sessions: no session of this manager in this request, which has one of another " +
			"manager, whose cookie is " + sc.manager.CookieName() + "; mount " +
			"sessions.Middleware with the manager that GetFrom asks for, or call Get for the " +
			"innermost session")
	}
	return of.Get()
}

// getSession returns the session of the request. If this is the first call, the session is not
// loaded yet.
func (sc *Scope) getSession() *Session {
	for {
		old := sc.session.Load()
		switch old {
		case nil:
		case noSession:
			sc.response.markSent() // CommitHeader may not have come to it yet.
		default:
			return old
		}
		s := newSession(sc.manager, &sc.response)
		s.setTickets(sc.cookies)
		if sc.session.CompareAndSwap(old, s) {
			return s
		}
		// Another goroutine has made a session, or the response has begun without one.
	}
}

// madeSession returns the session of the request, or nil if nothing has made one yet.
func (sc *Scope) madeSession() *Session {
	if s := sc.session.Load(); s != noSession {
		return s
	}
	return nil
}

// Commit saves the sessions of sc and of the scopes around it before the response begins, and
// calls apply with each reply. It returns [ErrGone] if another request ended a session. Any
// other error means that the response must be an error; see [StatusCode].
func (sc *Scope) Commit(apply func(*adapter.Reply)) error {
	if _, err := sc.Load(); err != nil {
		return err
	}
	for ; sc != nil; sc = sc.outer {
		s := sc.madeSession()
		if s == nil {
			continue
		}
		reply, err := s.commitEarly(sc.Context)
		sc.response.noteCommit(err)
		s.noteFailed(err)
		if err != nil {
			return err
		}
		apply(&reply)
	}
	return nil
}

// CommitHeader saves the session at the last moment before the first byte of the response, and
// returns what its header needs. It commits once: later calls return the error of the first,
// and an empty reply. If it returns an error, the adapter must replace the response with an
// error.
func (sc *Scope) CommitHeader() (reply adapter.Reply, err error) {
	if sc.response.begun {
		return reply, sc.CommitErr()
	}
	sc.response.begun = true
	defer sc.response.markSent() // The commit may panic.
	if sc.session.Load() == nil && sc.session.CompareAndSwap(nil, noSession) {
		return reply, nil
	}
	err = sc.session.Load().commitHeader(sc.Context, &reply, true)
	return reply, err
}

// HeaderSent records that no header can be sent any more, and saves what can be saved without a
// cookie. Adapters call it before they hand over the connection of a response that they do not
// write. It does nothing after [Scope.CommitHeader], and returns the error of that.
func (sc *Scope) HeaderSent() error {
	if sc.response.begun {
		return sc.CommitErr()
	}
	sc.response.begun = true
	s := sc.madeSession()
	if s != nil && s.mayHaveChanges() {
		s.noteDevice()
	}
	sc.response.markSent()
	if s = sc.madeSession(); s != nil {
		s.failHeader(s.commitLate(sc.Context))
	}
	return sc.CommitErr()
}

// CommitErr returns the error of the commit before the first byte, or nil if there was none. It is
// not called Err because a Scope is a context, whose Err is another.
func (sc *Scope) CommitErr() error {
	if !sc.response.has(bitHeaderFailed) {
		return nil
	}
	return sc.madeSession().headerErr()
}

// Close saves what was changed after the response had begun. It does nothing if the response
// has not begun, as after a panic, or if the commit failed. A change that is made later is saved
// at once.
func (sc *Scope) Close() error {
	s, r := sc.madeSession(), &sc.response
	r.set(bitOver)
	if s != nil && r.sent() && s.mayHaveChanges() &&
		!r.has(bitPanicked|bitGivenUp|bitHeaderFailed) {
		return s.commitLate(sc.Context)
	}
	return nil
}

// Format prints no more than the session's id, because contexts are printed and the secret must
// not be.
func (sc *Scope) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "sessions: request of "+sc.madeSession().String())
}
