package adaptertest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core"
)

// outageCases returns the cases O1, O2, O4 and R8, about a store or a client that is gone.
func outageCases() []testCase {
	return []testCase{
		{"O1/LoadFails", ruleOutage, outageLoad},
		{"O1/NotFoundRoute", ruleOutage, outageNotFound},
		{"O2/NoCookieForNoRecord", ruleFailed, outageSave},
		{"O2/CommitTellsHandler", ruleFailed, outageCommit},
		{"O4/ClientDisconnects", ruleSaved, outageDisconnect},
		{"R8/LogoutFails", ruleLogout, outageLogout},
	}
}

func outageLoad(e *env) {
	var ran atomic.Int32
	e.handleGet("/ran", func(c Context) error {
		ran.Add(1)
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	e.store.fail("load", errDown)
	a := b.get("/ran")
	e.wantRefused(a, http.StatusServiceUnavailable)
	if ran.Load() > 0 {
		e.Errorf("the handler ran")
	}
	if strings.Contains(a.body, errDown.Error()) {
		e.Errorf("the client sees the error of the store: %q", a.body)
	}
	// Without a cookie nothing is loaded.
	e.wantBody(e.newBrowser().get("/ran"), handlerBody)
	e.store.fail("load", nil)
	e.wantBody(b.get("/read"), "1")
}

func outageNotFound(e *env) {
	e.serve(core.Options{})
	b := e.newVisitor()
	e.store.fail("load", errDown)
	e.wantRefused(b.get("/nowhere"), http.StatusServiceUnavailable)
}

func outageSave(e *env) {
	e.serve(core.Options{})
	e.store.fail("save", errDown)
	e.wantRefused(e.newBrowser().get("/count"), http.StatusServiceUnavailable)
	e.wantRecords(0)
}

func outageCommit(e *env) {
	e.handleGet("/commit", func(c Context) error {
		visits.Update(c.Get(), increment)
		if err := c.Commit(); errors.Is(err, core.ErrStore) {
			return c.Fail(507)
		}
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{})
	e.store.fail("save", errDown)
	a := e.newBrowser().get("/commit")
	e.wantNoCookie(a)
	if a.status < 500 {
		e.Errorf("status is %d after a failed Commit, want 5xx", a.status)
	}
	e.wantRecords(0)
}

func outageDisconnect(e *env) {
	entered, gate := make(chan context.Context, 1), make(chan struct{})
	e.handleGet("/slow", func(c Context) error {
		entered <- c.Context()
		<-gate
		visits.Update(c.Get(), increment)
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	ctx, cancel := context.WithCancel(e.Context())
	var done sync.WaitGroup
	r := b.request(ctx, http.MethodGet, "/slow")
	done.Go(func() {
		if res, err := b.client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	})
	requestCtx := receive(e, "the start of the handler", entered)
	cancel()
	done.Wait()
	if requestCtx.Done() != nil {
		receive(e, "the end of the request's context", requestCtx.Done())
	}
	close(gate)
	e.waitUntil("the save", func() bool { return e.store.calls("save") == 2 })
	e.wantBody(b.get("/read"), "2")
}

func outageLogout(e *env) {
	e.serve(core.Options{})
	b := e.newVisitor()
	e.store.fail("save", errDown)
	e.wantRefused(b.get("/logout"), http.StatusServiceUnavailable)
	e.store.fail("save", nil)
	e.wantSessions(1, 0)
	e.wantBody(b.get("/read"), "1")
	e.wantBody(b.get("/logout"), "signed out")
	e.wantSessions(0, 1)
}
