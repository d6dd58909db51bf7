package adaptertest

import (
	"errors"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// lazyCases returns the cases about sessions that are loaded when the handler asks for them.
func lazyCases() []testCase {
	return []testCase{
		{"Lazy/Untouched", ruleLazy, lazyUntouched},
		{"Lazy/Outage", ruleLazy, lazyOutage},
		{"Lazy/Works", ruleLazy, lazyWorks},
	}
}

func lazyUntouched(e *env) {
	e.handleGet("/plain", func(c Context) error { return c.Body(200, "plain") })
	e.serve(core.Options{Lazy: true})
	b := e.newVisitor()
	calls := e.store.calls()
	a := b.get("/plain")
	e.wantBody(a, "plain")
	e.wantCalls(calls)
	if a.field("Vary") != "" {
		e.Errorf("Vary is %q on a response that does not depend on the session", a.field("Vary"))
	}
}

func lazyOutage(e *env) {
	e.handleGet("/load", func(c Context) error {
		if _, err := c.Load(); !errors.Is(err, core.ErrStore) {
			return c.Body(200, "Load reported no outage")
		}
		return c.Body(507, "outage")
	})
	e.serve(core.Options{Lazy: true})
	b := e.newVisitor()
	e.store.fail("load", errDown)
	if a := b.get("/load"); a.status != 507 || a.body != "outage" {
		e.Errorf("answer is %d %q, want the handler's own after the error of Load",
			a.status, a.body)
	}
	e.wantRefused(b.get("/read"), http.StatusServiceUnavailable)
	e.wantRefused(b.get("/count"), http.StatusServiceUnavailable)
	e.wantRefused(b.get("/logout"), http.StatusServiceUnavailable)
	e.store.fail("load", nil)
	e.wantBody(b.get("/read"), "1")
}

func lazyWorks(e *env) {
	e.handleGet("/load", func(c Context) error {
		s, err := c.Load()
		if err != nil {
			return err
		}
		visits.Update(s, increment)
		return c.Body(200, "loaded")
	})
	e.serve(core.Options{Lazy: true})
	b := e.newVisitor()
	e.wantBody(b.get("/load"), "loaded")
	e.wantBody(b.get("/count"), "3")
}
