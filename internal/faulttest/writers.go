package faulttest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Loss is what a fault may lose.
type Loss uint8

const (
	// Nothing means that no acknowledged write is lost.
	Nothing Loss = iota
	// Everything means that all records may be lost, but none comes back: a cache that
	// restarts.
	Everything
	// Recent means that recent writes, including deletes, may be undone: a failover to a
	// replica.
	Recent
)

const (
	writers        = 8
	visitsPerPhase = 10 // successful visits of each writer before the fault, and after it
)

// Through lets writers use a store before, during and after a fault. It calls fault once, and
// returns after each writer has succeeded again.
func Through(t *testing.T, s store.Store, loss Loss, fault func()) {
	t.Helper()
	m, err := newManager(s, AppConfig{Prefix: testserver.Name() + ":"}, storeTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if failed := runThrough(t, m, loss, fault); failed == 0 {
		t.Error("no request failed, so nothing was tested")
	}
	closeManager(t, m)
}

func closeManager(t *testing.T, m *core.Manager) {
	t.Helper()
	if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("closing the manager = %v", err)
	}
}

// runThrough is Through with a manager. It returns how many requests have failed.
func runThrough(t *testing.T, m *core.Manager, loss Loss, fault func()) (failed int) {
	t.Helper()
	ended := newEndedSessions(t, m, loss)
	all := make([]*writer, writers)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(all) + 1)
	for n := range all {
		all[n] = &writer{t: t, browser: browser{manager: m}, loss: loss}
		done.Go(func() { all[n].run(&over, warm.Done) })
	}
	done.Go(func() { ended.run(&over, warm.Done) })
	defer done.Wait()
	defer over.Store(true)
	warm.Wait()
	if fault(); t.Failed() {
		return 1
	}
	over.Store(true)
	done.Wait()
	visits := 0
	for _, w := range all {
		visits, failed = visits+w.visits, failed+w.failed
	}
	t.Logf("%d of %d visits failed", failed, visits)
	if loss != Recent {
		ended.check()
	}
	return failed
}

// The session of a writer holds a counter and two copies of the number of the last write.
const (
	marker     = "marked bytes " // precedes the number, so that a proxy can recognize a save
	firstCopy  = core.Key[string]("front")
	secondCopy = core.Key[string]("back")
)

// writer writes to a session of its own again and again. It knows what may be stored at any
// time: the last write that was acknowledged, or one of those after it that got no response.
type writer struct {
	browser
	t          *testing.T
	loss       Loss
	lastTried  int // number of the last write
	lastAcked  int // number of the last acknowledged write; 0: there is no session
	ackedCount int // the counter after lastAcked
	unanswered int // writes since lastAcked

	visits, failed int
}

// run visits until over, and then until the last visits have succeeded. It calls warm after
// the first successful ones.
func (w *writer) run(over *atomic.Bool, warm func()) {
	ready := sync.OnceFunc(warm)
	defer ready()
	for before, after := 0, 0; after < visitsPerPhase && !w.stop(); {
		switch good := w.tryVisit(); {
		case good && !over.Load():
			if before++; before == visitsPerPhase {
				ready()
			}
		case good:
			after++
		default:
			after = 0
		}
	}
}

// stop reports whether the test has failed or ended.
func (w *writer) stop() bool { return w.t.Failed() || w.t.Context().Err() != nil }

// tryVisit sends one request and reports whether it succeeded.
func (w *writer) tryVisit() (good bool) {
	var last *core.Session
	var err error
	w.visits++
	if !Promptly(w.t, func() {
		err = w.visit(w.t.Context(), func(s *core.Session) error {
			last = s
			return w.handle(s)
		})
	}) {
		return false
	}
	if err == nil {
		w.lastAcked, w.ackedCount, w.unanswered = w.lastTried, counter.Get(last), 0
		return true
	}
	if w.failed++; !isUnavailable(err) {
		w.t.Errorf("a visit = %v, want an answer or a 503", err)
	}
	return false
}

// handle checks the session and writes all of its keys.
func (w *writer) handle(s *core.Session) error {
	switch {
	case !s.IsNew():
		w.check(s)
	case w.lastAcked > 0 && w.loss == Nothing:
		w.t.Errorf("the session is new, but one was acknowledged and has not been ended")
	default:
		w.lastAcked, w.ackedCount, w.unanswered = 0, 0, 0
	}
	w.lastTried++
	w.unanswered++
	counter.Update(s, increment)
	text := marker + strconv.Itoa(w.lastTried)
	if w.lastTried%5 == 0 && !s.IsNew() {
		if err := s.Renew(); err != nil {
			return err
		}
	}
	if err := firstCopy.Set(s, text); err != nil {
		return err
	}
	return secondCopy.Set(s, text)
}

// check compares what is stored with what may be stored.
func (w *writer) check(s *core.Session) {
	first, second, count := firstCopy.Get(s), secondCopy.Get(s), counter.Get(s)
	if first != second {
		w.t.Errorf("the record is of two halves: %q and %q", first, second)
	}
	n, err := strconv.Atoi(first[min(len(marker), len(first)):])
	if err != nil || n > w.lastTried || count > w.ackedCount+w.unanswered {
		w.t.Errorf("stored is %q, counted to %d: more than the %d writes that were tried can make",
			first, count, w.lastTried)
	}
	if w.loss != Recent && (n < w.lastAcked || count < w.ackedCount) {
		w.t.Errorf("stored is %q, counted to %d: number %d and count %d were acknowledged",
			first, count, w.lastAcked, w.ackedCount)
	}
}

// endedSessions are sessions that were ended before or during a fault.
type endedSessions struct {
	t       *testing.T
	manager *core.Manager
	loss    Loss
	cookies []string
	pending map[Action]*core.Scope // requests that began before their session was ended
}

// newEndedSessions ends a session during each kind of request that writes.
func newEndedSessions(t *testing.T, m *core.Manager, loss Loss) *endedSessions {
	t.Helper()
	e := &endedSessions{t: t, manager: m, loss: loss, pending: make(map[Action]*core.Scope)}
	for _, action := range writeActions() {
		cookie := startSession(t, m)
		e.pending[action] = mustBegin(t, m, cookie)
		b := browser{m, cookie}
		if err := b.visit(t.Context(), Action{Name: actionLogout}.do); err != nil {
			t.Fatalf("a logout = %v", err)
		}
		e.cookies = append(e.cookies, cookie)
	}
	return e
}

// startSession starts a session and returns its cookie.
func startSession(t *testing.T, m *core.Manager) string {
	t.Helper()
	b := browser{manager: m}
	err := b.visit(t.Context(), Action{Name: actionCount}.do)
	if err != nil || b.cookie == "" {
		t.Fatalf("a first visit = %v", err)
	}
	return b.cookie
}

// mustBegin begins a request with the cookie of a session that exists.
func mustBegin(t *testing.T, m *core.Manager, cookie string) *core.Scope {
	t.Helper()
	sc, err := beginRequest(t.Context(), m, cookie)
	if err != nil || sc.Get().IsNew() {
		t.Fatalf("a visit with a cookie that was just set = %v", err)
	}
	return sc
}

// run starts and ends sessions until over, at least one. It keeps the cookies of those whose
// logout was acknowledged.
func (e *endedSessions) run(over *atomic.Bool, warm func()) {
	for first := true; first || !over.Load(); first = false {
		if e.t.Failed() || e.t.Context().Err() != nil {
			break
		}
		Promptly(e.t, e.startAndEnd)
		if first {
			warm()
		}
	}
}

func (e *endedSessions) startAndEnd() {
	b := browser{manager: e.manager}
	if b.visit(e.t.Context(), Action{Name: actionCount}.do) != nil {
		return
	}
	cookie := b.cookie
	if b.visit(e.t.Context(), Action{Name: actionLogout}.do) == nil {
		e.cookies = append(e.cookies, cookie)
	}
}

// check ends the pending requests and then checks that all sessions are still ended.
func (e *endedSessions) check() {
	e.t.Helper()
	for action, sc := range e.pending {
		if err := action.do(sc.Get()); err != nil {
			e.t.Errorf("%s in a session that was ended = %v", action.Name, err)
		}
		endedID := sc.Get().ID()
		setCookie, err := endRequest(sc)
		switch {
		case action.Name == actionLogin:
			e.checkLogin(endedID, action.Text, setCookie, err)
		case err != nil || setCookie != "" && action.Name != actionLogout:
			e.t.Errorf("%s in a session that was ended = %v, want no error and no cookie",
				action.Name, err)
		}
	}
	for _, cookie := range e.cookies {
		e.checkEnded(cookie)
	}
}

// checkLogin checks that a login in a session that was signed out meanwhile has started a
// session of its own, with what the request had loaded, since that was anonymous.
func (e *endedSessions) checkLogin(endedID, user, setCookie string, err error) {
	e.t.Helper()
	b := browser{manager: e.manager}
	if b.storeCookie(setCookie); err != nil || b.cookie == "" {
		e.t.Errorf("login in a session that was ended = %v, want a cookie", err)
		return
	}
	err = b.visit(e.t.Context(), func(s *core.Session) error {
		if s.Subject() != user || s.ID() == endedID || counter.Get(s) != 1 {
			e.t.Errorf("login in a session that was ended has led to %v of %q, counted to %d: "+
				"want another session of %q, counted to 1", s, s.Subject(), counter.Get(s), user)
		}
		return nil
	})
	if err != nil {
		e.t.Errorf("a visit after a login in a session that was ended = %v", err)
	}
}

// checkEnded checks that a cookie finds no session. Unless records may be lost, its bearer is
// also told why, and can write nothing.
func (e *endedSessions) checkEnded(cookie string) {
	e.t.Helper()
	sc, err := beginRequest(e.t.Context(), e.manager, cookie)
	if err != nil || !sc.Get().IsNew() || sc.Get().Len() != 0 {
		e.t.Errorf("the cookie of a session that was ended = %v, want an empty session", err)
		return
	}
	if e.loss != Nothing {
		return
	}
	reason, overtaken := sc.Get().Overtaken()
	if !overtaken || reason != core.ReasonSignedOut {
		e.t.Errorf("Overtaken = %q, %t after a logout", reason, overtaken)
	}
	if err := sc.Get().Set("late", 1); !errors.Is(err, core.ErrGone) {
		e.t.Errorf("writing with the cookie of a session that was ended = %v", err)
	}
	if setCookie, err := endRequest(sc); setCookie != "" || err != nil {
		e.t.Errorf("a request with the cookie of a session that was ended = %v and sets %q, "+
			"want no error and no cookie", err, setCookie)
	}
}
