package adaptertest

import (
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// failedCommitCases returns the cases A7, about what is sent if the session cannot be saved.
func failedCommitCases() []testCase {
	cases := []testCase{
		{"A7/TooLarge", ruleProgram, failedTooLarge},
		{"A7/Unencodable", ruleProgram, failedUnencodable},
	}
	for _, p := range paths() {
		existing := func(e *env) { failedPath(e, &p, (*env).newVisitor) }
		created := func(e *env) { failedPath(e, &p, (*env).newBrowser) }
		cases = append(cases,
			testCase{"A7/Path" + p.name, ruleFailed, existing},
			testCase{"A7/NewSession" + p.name, ruleFailed, created})
	}
	return cases
}

func failedPath(e *env, p *path, newBrowser func(e *env) *browser) {
	p.addRoute(e, func(c Context) error {
		for name, value := range contentFields() {
			c.SetHeader(name, value)
		}
		c.SetHeader("Cache-Control", "public, max-age=60")
		visits.Update(c.Get(), increment)
		return nil
	})
	e.serve(core.Options{})
	b := newBrowser(e)
	before := b.token()
	e.store.fail("save", errDown)
	a := p.visit(b)
	if p.name == "Upgrade" {
		// The handler has answered the error of its own commit.
		e.wantStatus(a, http.StatusServiceUnavailable)
		e.wantNoCookie(a)
		e.wantNoStore(a)
	} else {
		e.wantRefused(a, http.StatusServiceUnavailable)
	}
	e.store.fail("save", nil)
	if b.token() != before {
		e.Errorf("the browser's cookie has changed")
	}
	if before != "" {
		e.wantBody(b.get("/read"), "1")
	} else {
		e.wantRecords(0)
	}
}

func failedTooLarge(e *env) {
	e.handleGet("/large", func(c Context) error {
		note.Update(c.Get(), func(string) string { return strings.Repeat("x", 2000) })
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{MaxSize: 1000})
	e.wantRefused(e.newBrowser().get("/large"), http.StatusInternalServerError)
	b := e.newVisitor()
	e.wantRefused(b.get("/large"), http.StatusInternalServerError)
	e.wantBody(b.get("/read"), "1")
}

func failedUnencodable(e *env) {
	const pipe = core.Key[chan int]("pipe")
	e.handleGet("/update", func(c Context) error {
		pipe.Update(c.Get(), func(chan int) chan int { return make(chan int) })
		return c.Body(200, handlerBody)
	})
	e.handleGet("/set", func(c Context) error {
		if err := pipe.Set(c.Get(), make(chan int)); err == nil {
			return c.Body(200, "no error")
		}
		return c.Body(200, "error")
	})
	e.serve(core.Options{})
	e.wantRefused(e.newBrowser().get("/update"), http.StatusInternalServerError)
	a := e.newBrowser().get("/set")
	e.wantBody(a, "error")
	e.wantNoCookie(a)
	e.wantRecords(0)
}
