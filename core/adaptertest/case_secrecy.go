package adaptertest

import (
	"fmt"

	"github.com/cloakroom-go/sessions/core"
)

// secrecyCases returns the case H3, about where the token must not occur.
func secrecyCases() []testCase {
	return []testCase{{"H3/NoTokenOutside", ruleSecret, secrecyOfToken}}
}

func secrecyOfToken(e *env) {
	e.handleGet("/print", func(c Context) error {
		s := c.Get()
		return c.Body(200, fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s.Keys()))
	})
	e.handleGet("/redirect", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Redirect(302, "/read")
	})
	e.handleGet("/fail", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Fail(500)
	})
	e.handleGet("/panic", func(c Context) error { panic(c.Get()) })
	e.serve(core.Options{})
	targets := []string{
		"/print", "/redirect", "/fail", "/panic", "/nowhere", "/login", "/logout",
	}
	for _, op := range []string{"", "save", "load"} {
		b := e.newVisitor()
		e.store.fail(op, errDown)
		for _, target := range targets {
			token := b.token()
			if a := b.get(target); a.leaks(token) {
				e.Errorf("%s: the answer contains the token: %d %v %q",
					target, a.status, a.header, a.body)
			}
			if token != "" && e.log.contains(secretOf(token)) {
				e.Errorf("%s: the token was logged", target)
			}
		}
		e.store.fail(op, nil)
	}
}
