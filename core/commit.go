package core

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
)

// A commit has three phases: plan takes the pending changes under the session's lock, execute
// makes the calls of the store, and settle brings the session up to date under its lock.

// Save saves the session's changes now. Handlers that outlive their response, such as streams
// and websockets, call it; elsewhere the middleware saves. If a change needs a cookie, the
// response carries it; once that has begun, Save returns [ErrLate].
//
// Save returns [ErrGone] if another request ended the session, or signed in with it; nothing was
// saved then. After any other error, a login and the values of a new session are dropped, so that
// an error response does not sign anybody in; changes to a stored session are tried again by the
// next commit, but for an update whose outcome is not known, which must not count twice. A client
// that disconnects does not stop a save.
//
// The function of an update must not call Save, nor anything that saves: it gets an error.
func (s *Session) Save(ctx context.Context) error {
	if err := s.mayCommit(); err != nil {
		return err
	}
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	if err := s.flush(ctx); err != nil {
		return s.reportUnsaved(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.status == statusGone:
		return ErrGone
	case s.crossSite && s.pending.startsSession():
		return ErrCrossSite
	}
	return nil
}

// commitEarly saves and returns what the header of the response needs. The response has not
// begun, and more may be committed later.
func (s *Session) commitEarly(ctx context.Context) (r adapter.Reply, err error) {
	s.noteDevice()
	if err := s.Save(ctx); err != nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fillReply(&r)
	return r, nil
}

// commitHeader commits when the handlers have returned or the first byte of the response is about
// to be sent, and fills in r. If the header leaves now, it notes that no cookie can be sent
// afterwards; otherwise more may be committed later. It is no error here if another request ended
// the session: the response goes out without a cookie.
func (s *Session) commitHeader(ctx context.Context, r *adapter.Reply, leaves bool) error {
	done, wantsDevice := s.commitUnchanged(ctx, r, leaves)
	if done {
		return nil
	}
	if wantsDevice {
		s.askDevice()
	}
	// No other goroutine's save may come between the reply and markSent.
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	err := s.reportUnsaved(s.flush(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	for err == nil && s.toDelete != nil { // Destroy came after the flush.
		s.mu.Unlock()
		err = s.flush(ctx)
		s.mu.Lock()
	}
	s.fillReplyAfter(err, r)
	if leaves {
		s.setHeaderErr(err)
		s.response.markSent()
	}
	return err
}

// fillReplyAfter fills in the reply of the commit with the error err. A cookie of an earlier
// commit goes out with an error too: that one has replaced the secret, or ended the session. It
// expects s.mu to be held.
func (s *Session) fillReplyAfter(err error, r *adapter.Reply) {
	replaced := s.cookie == cookieSet && s.response.has(bitNewSecret)
	if err == nil || replaced || s.cookie == cookieRemove && s.toDelete == nil {
		s.fillLastReply(r)
	}
}

// commitUnchanged is the fast path of commitHeader for a session with nothing to commit. It
// reports whether it applies, or else whether the commit wants to know the device.
func (s *Session) commitUnchanged(
	ctx context.Context, r *adapter.Reply, leaves bool,
) (done, wantsDevice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if nothing, err := s.nothingToCommit(ctx, true); !nothing || err != nil || s.inFlight.Load() {
		return false, s.wantsDevice() // A save in flight may need the cookie sent.
	}
	s.fillLastReply(r)
	if leaves {
		s.response.markSent()
	}
	return true, false
}

// commitLate saves changes that were made after the header was sent. The client has its answer,
// so an error can only be reported. Late changes and failures of the store have been reported
// where they occurred.
func (s *Session) commitLate(ctx context.Context) error {
	if err := s.lockCommit(); err != nil {
		return err
	}
	defer s.commitMu.Unlock()
	err := s.flush(ctx)
	s.reportLost(ctx, err)
	return err
}

// errInsideUpdate is the error of a commit that the function of an update has called. The commit
// that runs the function again would wait for itself, and the first run would save what the
// update has not changed yet.
var errInsideUpdate = errors.New("sessions: the function of an Update cannot save: " +
	"it may run again while the session is being saved; save after Update has returned")

// mayCommit returns an error if the caller is the function of an update. It looks at the stack,
// which takes a microsecond, only if the session has updates.
func (s *Session) mayCommit() error {
	s.mu.Lock()
	updated := s.updated
	s.mu.Unlock()
	if updated && insideUpdate() {
		return errInsideUpdate
	}
	return nil
}

// lockCommit locks s.commitMu. It returns an error if the commit that has locked it runs the
// caller, as the function of an update.
func (s *Session) lockCommit() error {
	if s.commitMu.TryLock() {
		return nil
	}
	if s.mayCommit() != nil {
		return errInsideUpdate
	}
	s.commitMu.Lock()
	return nil
}

// insideUpdate reports whether the function of an update has called the caller. Only the stack
// tells that from another goroutine of the request, which may commit meanwhile.
func insideUpdate() bool {
	var counters [64]uintptr
	for skip := 2; ; skip += len(counters) {
		n := runtime.Callers(skip, counters[:])
		frames := runtime.CallersFrames(counters[:n])
		for more := n > 0; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			if _, method, ok := strings.Cut(frame.Function, "/core.Key["); ok &&
				strings.HasSuffix(method, "].apply") {
				return true
			}
		}
		if n < len(counters) {
			return false
		}
	}
}

// hasPending reports whether there is something to save.
func (s *Session) hasPending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.toDelete != nil || !s.pending.empty()
}

// awaitsHeader reports whether what is to be saved needs a cookie that can still be sent.
func (s *Session) awaitsHeader() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.response.sent() && s.toDelete == nil &&
		(s.status == statusNew || s.pending.needsCookie())
}

// failHeader notes the error of the commit before the first byte, if there is one.
func (s *Session) failHeader(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setHeaderErr(err)
}

// setHeaderErr is failHeader for a caller that holds s.mu.
func (s *Session) setHeaderErr(err error) {
	if err != nil {
		s.beside = s.beside.made()
		s.beside.headerErr = err
		s.response.set(bitHeaderFailed)
	}
}

// headerErr returns the error of the commit before the first byte, which has failed.
func (s *Session) headerErr() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beside.headerErr
}

// reported reports whether an event has said why the commit fails.
func (s *Session) reported() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsavedReported
}

// reportLost reports changes that could not be saved, unless that has been reported where it
// happened.
func (s *Session) reportLost(ctx context.Context, err error) {
	if err == nil || errors.Is(err, ErrLate) || errors.Is(err, ErrStore) ||
		errors.Is(err, errTimedOut) || s.reported() {
		return
	}
	s.mu.Lock()
	e := s.event()
	s.mu.Unlock()
	e.Kind, e.Err, e.Context = EventLost, err, ctx
	s.manager.observer.report(slog.LevelError, e)
}

// noteFailed notes what an explicit commit could not save, or that it has saved everything.
func (s *Session) noteFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.pending != nil:
		s.beside = s.beside.made()
		s.beside.failed = s.pending.clone()
	case err == nil && s.beside != nil:
		s.beside.failed = nil
	}
}

// dropFailed drops what an explicit commit could not save, but not what was changed since. It
// reports whether there is a failure that no later commit can mend.
func (s *Session) dropFailed() (forGood bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beside != nil && s.beside.failed != nil {
		if s.pending = s.pending.without(s.beside.failed); s.pending.empty() {
			s.pending = nil
		}
		s.beside.failed = nil
	}
	s.dirty.Store(s.failure != nil || s.toDelete != nil || s.pending != nil)
	return s.failure != nil
}

// dropPending drops the changes that are not saved yet. The response says that they were not.
func (s *Session) dropPending() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = nil
	s.dirty.Store(s.failure != nil || s.toDelete != nil)
}

// newSession returns a session that is to be loaded.
func newSession(m *Manager, r *response) *Session {
	return &Session{manager: m, response: r, saveNow: (*Session).saveLate}
}

// useLate notes the context of changes that no commit follows.
func (s *Session) useLate(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beside = s.beside.made()
	s.beside.lateContext = ctx
}

// saveLate saves changes that no commit follows. Failures are logged, and events.
func (s *Session) saveLate() {
	// The function of an update may change other values while the first commit runs.
	for range 3 {
		if !s.hasPending() || s.awaitsHeader() || s.commitLate(s.lateContext()) != nil {
			return
		}
	}
}

// lateContext returns the context of changes that no commit follows. A session that was kept
// beyond its request has none of its own.
func (s *Session) lateContext() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.beside == nil || s.beside.lateContext == nil {
		return context.Background()
	}
	return s.beside.lateContext
}

// flush commits until there is nothing left to commit. A Destroy that comes while a save is
// running is carried out after it. It expects s.commitMu to be held.
func (s *Session) flush(ctx context.Context) error {
	if s.response.has(bitPanicked) {
		s.dropPending()
		return errPanicked
	}
	for {
		if again, err := s.flushOnce(ctx); !again || err != nil {
			return err
		}
	}
}

// flushOnce runs one commit through its phases. It reports whether another is needed.
func (s *Session) flushOnce(ctx context.Context) (again bool, err error) {
	var p commitPlan
	if nothing, err := s.plan(ctx, &p); nothing {
		return false, err
	}
	defer s.inFlight.Store(false)
	var o outcome
	// The save must not be lost if the client disconnects.
	storeCtx, cancel := s.manager.records.detached(ctx)
	defer cancel()
	x := &s.manager.executor
	err = x.deleteDestroyed(storeCtx, &p, &o)
	if o.deleted {
		s.onDeleted(storeCtx, p.toDelete, o.notOwned)
	}
	if o.notOwned && p.delta.getLogin() == nil {
		p.kind, p.delta = planNone, nil // A new session's cookie would replace the browser's.
	}
	if err == nil { // Otherwise nothing is saved.
		err = x.execute(storeCtx, &p, &o)
	}
	err = s.settle(storeCtx, &p, &o, err)
	if !s.dirty.Load() {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.toDelete != nil, err
}

// fillReply sets r, which is zero, to what the header of the response needs. A cookie is handed
// over once. It expects s.mu to be held.
func (s *Session) fillReply(r *adapter.Reply) {
	if s.response.sent() {
		return
	}
	s.fillPrivacy(r)
	switch s.cookie {
	case cookieSet:
		r.SetCookie, s.issued = s.setCookie(), false
	case cookieRemove:
		if s.toDelete != nil {
			return // The session has not been deleted yet, so the cookie stays.
		}
		r.SetCookie, r.ClearSiteData = s.manager.cookies.Remove(), s.manager.clearSiteData
	case cookieKeep:
	}
	if r.SetCookie != "" {
		r.FormerCookies = s.manager.former
	}
	s.cookie, s.cookieSent = cookieKeep, s.cookieSent || r.SetCookie != ""
	r.NoStore = r.NoStore || s.cookieSent
}

// fillPrivacy sets what r says to caches. It expects s.mu to be held.
func (s *Session) fillPrivacy(r *adapter.Reply) {
	r.Cookie = s.manager.CookieName()
	r.Private = s.accessed || s.cookieSent || s.cookie != cookieKeep
	// Who is signed in to a session that a stream has still to load is not known.
	mayBeSignedIn := s.status == statusUnloaded || s.currentSubject() != ""
	r.NoStore = s.cookieSent || s.response.has(bitAnswered) ||
		s.accessed && s.manager.noStoreSignedIn && mayBeSignedIn
}

// fillLastReply is fillReply for the replies at the end of a response, which use the session's
// memory for the values of the header. One of them may replace the values of another.
func (s *Session) fillLastReply(r *adapter.Reply) {
	r.Values = &s.headerValues
	s.fillReply(r)
}

// setCookie returns the Set-Cookie value for the session's ticket.
func (s *Session) setCookie() string {
	m, t := s.manager, &s.snap.Times
	if !m.timeouts.persistent(t) {
		return m.cookies.SetForBrowserSession(&s.ticket)
	}
	left := cookie.MaxAge
	if end := m.timeouts.cookieEndsAt(t); end != 0 {
		// The time left is limited before it becomes a Duration: if another machine's clock is
		// ahead, the longest timeout would overflow.
		ms := min(end-time.Now().UnixMilli(), cookie.MaxAge.Milliseconds())
		left = time.Duration(ms) * time.Millisecond
	}
	return m.cookies.Set(&s.ticket, max(left, 0))
}

// mayHaveChanges reports whether a commit may have something to do, without a lock. It reads
// inFlight first, so that it sees what a load or commit that ends meanwhile makes possible.
func (s *Session) mayHaveChanges() bool { return s.inFlight.Load() || s.dirty.Load() }
