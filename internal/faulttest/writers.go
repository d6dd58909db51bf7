package faulttest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Loss is what a fault may cost.
type Loss uint8

const (
	// Nothing that was acknowledged is lost.
	Nothing Loss = iota
	// Everything goes, but nothing comes back: a cache that starts again.
	Everything
	// Recent writes may be undone, deletes among them: a failover to a replica.
	Recent
)

const (
	writers = 8
	enough  = 10 // visits before the fault, and after it
)

// Through has writers at work on a store while fault does its worst, and until each has written on after it.
func Through(t *testing.T, s store.Store, loss Loss, fault func()) {
	t.Helper()
	m, err := newManager(s, Place{Prefix: testserver.Name() + ":"}, timeout)
	if err != nil {
		t.Fatal(err)
	}
	if failed := through(t, m, loss, fault); failed == 0 {
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

// through is Through on a manager. It returns how many requests have failed.
func through(t *testing.T, m *core.Manager, loss Loss, fault func()) (failed int) {
	t.Helper()
	ended := newGraveyard(t, m)
	crowd := make([]*writer, writers)
	var over atomic.Bool
	var warm, done sync.WaitGroup
	warm.Add(len(crowd) + 1)
	for n := range crowd {
		crowd[n] = &writer{t: t, browser: browser{manager: m}, loss: loss}
		done.Go(func() { crowd[n].work(&over, warm.Done) })
	}
	done.Go(func() { ended.work(&over, warm.Done) })
	defer done.Wait()
	defer over.Store(true)
	warm.Wait()
	if fault(); t.Failed() {
		return 1
	}
	over.Store(true)
	done.Wait()
	visits := 0
	for _, w := range crowd {
		visits, failed = visits+w.visits, failed+w.failed
	}
	t.Logf("%d of %d visits failed", failed, visits)
	if loss != Recent {
		ended.check()
	}
	return failed
}

// What a writer keeps in its session: a counter, and its number twice, in values that make a record of some length.
const (
	marked = "marked bytes " // for a proxy to know a save by
	front  = core.Key[string]("front")
	back   = core.Key[string]("back")
)

// writer writes a session of its own again and again through faults. It knows what may be stored at any time: what was
// acknowledged last, or what was tried since without an answer.
type writer struct {
	browser
	t     *testing.T
	loss  Loss
	tried int // the number of the last visit
	acked int // and of the last that was acknowledged; 0: there is no session
	count int // the counter then
	open  int // visits since without an answer

	visits, failed int
}

// work visits until over, and a while longer, in the end with success.
func (w *writer) work(over *atomic.Bool, warm func()) {
	ready := sync.OnceFunc(warm)
	defer ready()
	for before, after := 0, 0; after < enough && !w.t.Failed() && w.t.Context().Err() == nil; {
		switch good := w.step(); {
		case good && !over.Load():
			if before++; before == enough {
				ready()
			}
		case good:
			after++
		default:
			after = 0
		}
	}
}

// step is one visit, which reports whether it was served.
func (w *writer) step() (good bool) {
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
		w.acked, w.count, w.open = w.tried, counter.Get(last), 0
		return true
	}
	if w.failed++; !outage(err) {
		w.t.Errorf("a visit = %v, want an answer or a 503", err)
	}
	return false
}

// handle checks what the session has, and writes all of it.
func (w *writer) handle(s *core.Session) error {
	switch {
	case !s.IsNew():
		w.check(s)
	case w.acked > 0 && w.loss == Nothing:
		w.t.Errorf("the visitor is a stranger, but his session was acknowledged and nobody has ended it")
	default:
		w.acked, w.count, w.open = 0, 0, 0
	}
	w.tried++
	w.open++
	counter.Update(s, increment)
	text := marked + strconv.Itoa(w.tried)
	if w.tried%5 == 0 && !s.IsNew() {
		if err := s.Renew(); err != nil {
			return err
		}
	}
	if err := front.Set(s, text); err != nil {
		return err
	}
	return back.Set(s, text)
}

// check compares what is stored with what is known.
func (w *writer) check(s *core.Session) {
	first, second, count := front.Get(s), back.Get(s), counter.Get(s)
	if first != second {
		w.t.Errorf("the record is of two halves: %q and %q", first, second)
	}
	n, err := strconv.Atoi(first[min(len(marked), len(first)):])
	if err != nil || n > w.tried || count > w.count+w.open {
		w.t.Errorf("stored is %q, counted to %d: more than the %d writes that were tried can make", first, count, w.tried)
	}
	if w.loss != Recent && (n < w.acked || count < w.count) {
		w.t.Errorf("stored is %q, counted to %d: number %d and count %d were acknowledged", first, count, w.acked, w.count)
	}
}

// graveyard has sessions that were ended, before a fault and while it lasts.
type graveyard struct {
	t    *testing.T
	m    *core.Manager
	dead []string             // cookies
	late map[Deed]*core.Scope // requests that had arrived before the session was ended
}

// newGraveyard ends a session under each kind of request that writes.
func newGraveyard(t *testing.T, m *core.Manager) *graveyard {
	t.Helper()
	g := &graveyard{t: t, m: m, late: make(map[Deed]*core.Scope)}
	for _, deed := range writes() {
		cookie := enter(t, m)
		g.late[deed] = mustArrive(t, m, cookie)
		b := browser{m, cookie}
		if err := b.visit(t.Context(), Deed{Do: doLogout}.act); err != nil {
			t.Fatalf("a logout = %v", err)
		}
		g.dead = append(g.dead, cookie)
	}
	return g
}

// enter starts a session and returns its cookie.
func enter(t *testing.T, m *core.Manager) string {
	t.Helper()
	b := browser{manager: m}
	if err := b.visit(t.Context(), Deed{Do: doCount}.act); err != nil || b.cookie == "" {
		t.Fatalf("a first visit = %v", err)
	}
	return b.cookie
}

func mustArrive(t *testing.T, m *core.Manager, cookie string) *core.Scope {
	t.Helper()
	sc, err := arrive(t.Context(), m, cookie)
	if err != nil || sc.Get().IsNew() {
		t.Fatalf("a visit with a cookie that was just set = %v", err)
	}
	return sc
}

// work starts sessions and ends them until over. Those whose logout was acknowledged are dead.
func (g *graveyard) work(over *atomic.Bool, warm func()) {
	for first := true; (first || !over.Load()) && !g.t.Failed() && g.t.Context().Err() == nil; first = false {
		Promptly(g.t, func() {
			b := browser{manager: g.m}
			if b.visit(g.t.Context(), Deed{Do: doCount}.act) != nil {
				return
			}
			cookie := b.cookie
			if b.visit(g.t.Context(), Deed{Do: doLogout}.act) == nil {
				g.dead = append(g.dead, cookie)
			}
		})
		if first {
			warm()
		}
	}
}

// check lets the late requests leave, and then looks for the living among the dead.
func (g *graveyard) check() {
	g.t.Helper()
	for deed, sc := range g.late {
		if err := deed.act(sc.Get()); err != nil {
			g.t.Errorf("%s in a session that was ended = %v", deed.Do, err)
		}
		if setCookie, err := leave(sc); err != nil || setCookie != "" && deed.Do != doLogout {
			g.t.Errorf("%s in a session that was ended = %v, want no error and no cookie", deed.Do, err)
		}
	}
	for _, cookie := range g.dead {
		sc, err := arrive(g.t.Context(), g.m, cookie)
		if err != nil || !sc.Get().IsNew() {
			g.t.Errorf("the cookie of a session that was ended = %v, want a stranger's visit", err)
		}
	}
}
