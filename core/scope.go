package core

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
)

// Scope carries a session through one request, for adapters. It is the request's context with the session in it, and it
// knows whether the response has begun. The zero value is ready for [Scope.Open]; it is used for one request only.
type Scope struct {
	context.Context //nolint:containedctx // a scope is a context: that of the request around, set by Open

	manager *Manager
	client  Client
	outer   *Scope // of another manager's middleware around this one
	cookies string // the Cookie fields, for when somebody asks for the session

	// The session is made when there is something to hold: most requests bring no cookie and ask for nothing, and a session
	// is the largest thing there is to allocate. Nil until then, and the manager's mark if it is too late for a cookie.
	held  atomic.Pointer[Session]
	begun bool // the commit before the first byte has been tried
}

// ScopeKey is the context key of the innermost scope of a request.
type ScopeKey struct{}

// ScopeOf returns the innermost scope in ctx, nil if there is none.
func ScopeOf(ctx context.Context) *Scope {
	sc, _ := ctx.Value(ScopeKey{}).(*Scope)
	return sc
}

// Value returns the scope itself under [ScopeKey], and what the context around has under every other key.
func (sc *Scope) Value(key any) any {
	if _, ok := key.(ScopeKey); ok {
		return sc
	}
	return sc.Context.Value(key)
}

// Of returns the scope of m among sc and those around it, nil if there is none. A nil sc has none.
func (sc *Scope) Of(m *Manager) *Scope {
	for ; sc != nil; sc = sc.outer {
		if sc.manager == m {
			return sc
		}
	}
	return nil
}

// Client tells who sends a request, in the framework's own terms: an address behind a proxy is for the framework to trust.
// It is asked during commits on the request's goroutine, and only when the session is to record it.
type Client interface {
	// Client returns the address and the User-Agent field. The strings may be the framework's: they are copied.
	Client() (ip, userAgent string)
}

// Open begins a request: it reads the Cookie field values and loads the session. If m is lazy it does neither yet, so that
// the strings must stay as they are until the response has been sent; otherwise they are not kept.
// outer is the innermost scope around, nil if there is none: what [ScopeOf] finds before there is this one, where the adapter
// has had to look for m already.
// The client, which may be nil, is asked for as long as the response has not begun.
// The error is that of [Session.Load]. It panics if a scope around uses a cookie of the same name, because one cookie
// cannot hold two sessions.
func (sc *Scope) Open(ctx context.Context, outer *Scope, m *Manager, client Client, cookieFields ...string) error {
	sc.Context, sc.manager, sc.client, sc.outer = ctx, m, client, outer
	for around := sc.outer; around != nil; around = around.outer {
		if around.manager.name == m.name {
			panic("sessions: two managers use the cookie " + m.name + " in one request; mount one manager in both places, or give one of them another Cookie.Name")
		}
	}
	if m.lazy {
		sc.cookies = strings.Join(cookieFields, ";")
		return nil
	}
	var presented tickets
	if presented.find(m.name, cookieFields); presented.n == 0 {
		return nil
	}
	s := &Session{manager: m}
	err := s.loadAlone(ctx, &presented)
	sc.held.Store(s)
	return err
}

// session returns the request's session, not loaded yet if nobody has asked for it before.
func (sc *Scope) session() *Session {
	for {
		before := sc.held.Load()
		late := before == &sc.manager.tooLate
		if before != nil && !late {
			return before
		}
		s := &Session{manager: sc.manager, sealed: late}
		if s.present(sc.cookies); s.tickets == nil {
			_ = s.arrive(nil) // there is nothing to load
		}
		if sc.held.CompareAndSwap(before, s) { // else another goroutine has made one, or the response has begun
			return s
		}
	}
}

// made returns the request's session if it has been made, or else nil.
func (sc *Scope) made() *Session {
	s := sc.held.Load()
	if s != nil && s == &sc.manager.tooLate {
		return nil
	}
	return s
}

// Format keeps the session's insides, its secret among them, out of everything that is printed: contexts end up in logs.
func (sc *Scope) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "sessions: request of "+sc.made().String())
}

// Outer returns the scope of the next middleware outside, nil if there is none.
func (sc *Scope) Outer() *Scope { return sc.outer }

// Get returns the session. On a lazy manager it loads it first; if that fails the session is empty, and using it makes the
// commit fail. On a nil scope it panics, because the middleware is missing.
func (sc *Scope) Get() *Session {
	if s, err := sc.Load(); err == nil {
		return s
	}
	return sc.session() // which remembers the error
}

// Load is Get with the error of loading, which the handler answers.
func (sc *Scope) Load() (*Session, error) {
	if sc == nil {
		panic("sessions: no session in this request; mount sessions.New or sessions.Middleware in front of the handler")
	}
	s := sc.session()
	if err := s.Load(sc.Context); err != nil {
		return nil, err
	}
	return s, nil
}

// Commit saves the sessions of sc and of the scopes around it before the response has begun, and hands each reply to apply.
func (sc *Scope) Commit(apply func(*Reply)) error {
	if _, err := sc.Load(); err != nil {
		return err
	}
	for ; sc != nil; sc = sc.outer {
		s := sc.made()
		if s == nil {
			continue
		}
		if !sc.begun { // else the client is the framework's, who may use it again
			s.identify(sc.client)
		}
		reply, err := s.Commit(sc.Context)
		if err != nil {
			return err
		}
		apply(&reply)
	}
	return nil
}

// Begin commits at the last moment before the first byte of the response and puts the cookie into its header. It does so
// once; called again it returns the error of the first time.
func (sc *Scope) Begin(header map[string][]string) error {
	if sc.begun {
		return sc.CommitErr()
	}
	s := sc.begin()
	if s == nil {
		return nil
	}
	var reply Reply
	err := sc.finish(s, &reply)
	if err == nil {
		reply.apply(header, &s.fields)
	}
	return err
}

// Finish is Begin for adapters whose header is not a map: they apply the reply themselves. It is empty from the second
// time on.
func (sc *Scope) Finish() (reply Reply, err error) {
	if sc.begun {
		return reply, sc.CommitErr()
	}
	if s := sc.begin(); s != nil {
		err = sc.finish(s, &reply)
	}
	return reply, err
}

// begin records that the response begins, and returns the session that there is to commit.
func (sc *Scope) begin() *Session {
	s := sc.seal()
	sc.begun = true
	return s
}

// finish is the commit before the first byte.
func (sc *Scope) finish(s *Session, r *Reply) error {
	s.finished = s.finish(sc.Context, sc.client, r)
	return s.finished
}

// seal records that a session which is made from now on can send no cookie, and returns the one there is.
func (sc *Scope) seal() *Session {
	// To look first is cheaper than to try and fail.
	if s := sc.made(); s != nil || sc.held.CompareAndSwap(nil, &sc.manager.tooLate) {
		return s
	}
	return sc.made() // and it seals itself
}

// Begun reports whether Begin or Finish has been called.
func (sc *Scope) Begun() bool { return sc.begun }

// CommitErr returns the error of the commit, nil while there was none.
func (sc *Scope) CommitErr() error {
	if s := sc.made(); s != nil {
		return s.finished
	}
	return nil
}

// Seal records that the response's header is out of reach: see [Session.Seal].
func (sc *Scope) Seal() {
	if s := sc.seal(); s != nil {
		s.Seal()
	}
}

// Close saves what was changed after the response had begun. After a handler that panicked or a commit that failed
// there is nothing to save.
func (sc *Scope) Close() error {
	if s := sc.made(); s != nil && sc.begun && s.finished == nil && !s.settled() {
		_, err := s.Finish(sc.Context)
		return err
	}
	return nil
}
