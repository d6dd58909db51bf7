package adaptertest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

const (
	ruleMount   = "mounted on the engine, on a group or twice, the middleware gives a request one session"
	ruleNone    = "without the middleware Get panics with a sentence that says what to mount"
	ruleTwo     = "of two managers Get returns the innermost's session, GetFrom each one's, and both are saved"
	ruleSame    = "two managers with one cookie name in one request are a clear failure"
	ruleNoRoute = "the session works where no route does"
)

// mountCases is A6: where the middleware is mounted.
func mountCases() []testCase {
	return []testCase{
		{"A6/Twice", ruleMount, mountTwice},
		{"A6/EngineAndGroup", ruleMount, mountEngineAndGroup},
		{"A6/Group", ruleMount, mountGroup},
		{"A6/Missing", ruleNone, mountMissing},
		{"A6/TwoManagers", ruleTwo, mountTwoManagers},
		{"A6/TwoManagersCommit", ruleTwo, mountTwoManagersCommit},
		{"A6/TwoManagersOneFails", ruleFailed, mountTwoManagersFail},
		{"A6/SameCookieName", ruleSame, mountSameName},
		{"A6/NotFound", ruleNoRoute, mountNotFound},
		{"A6/NotFoundHandler", ruleNoRoute, mountNotFoundHandler},
		{"A6/MethodNotAllowed", ruleNoRoute, mountMethodNotAllowed},
	}
}

// checkCounting checks that requests for target share one session, with one load and one save each.
func (x *trial) checkCounting(target string) {
	x.Helper()
	b := x.browser()
	a := b.get(target)
	x.wantBody(a, "1")
	x.wantCookie(a)
	loads, saves := x.store.count("load"), x.store.count("save")
	a = b.get(target)
	x.wantBody(a, "2")
	x.wantNoCookie(a)
	if l, s := x.store.count("load")-loads, x.store.count("save")-saves; l != 1 || s != 1 {
		x.broken("one request made %d loads and %d saves, want one each", l, s)
	}
}

func mountTwice(x *trial) {
	m := x.manager(core.Options{})
	x.app.Engine = []*core.Manager{m, m}
	x.start()
	x.checkCounting("/count")
}

func mountEngineAndGroup(x *trial) {
	m := x.manager(core.Options{})
	x.app.Engine, x.app.Group = []*core.Manager{m}, []*core.Manager{m, m}
	x.get("/group/count", count)
	x.start()
	x.checkCounting("/group/count")
	x.checkCounting("/count")
}

func mountGroup(x *trial) {
	x.app.Group = []*core.Manager{x.manager(core.Options{})}
	x.get("/group/count", count)
	x.get("/outside", func(c Context) error { return c.Body(200, "outside") })
	x.start()
	x.checkCounting("/group/count")
	calls := x.store.count()
	x.wantBody(x.browser().get("/outside"), "outside")
	x.wantCalls(calls)
}

func mountMissing(x *trial) {
	other := x.manager(core.Options{})
	uses := map[string]func(c Context){
		"/get":    func(c Context) { c.Get() },
		"/from":   func(c Context) { c.GetFrom(other) },
		"/load":   func(c Context) { _, _ = c.Load() },
		"/commit": func(c Context) { _ = c.Commit() },
	}
	for target, use := range uses {
		x.get(target, func(c Context) (err error) {
			defer func() { err = c.Body(200, fmt.Sprint(recover())) }()
			use(c)
			return nil
		})
	}
	x.start()
	for target := range uses {
		if a := x.browser().get(target); !strings.HasPrefix(a.body, "sessions: ") || !strings.Contains(a.body, "mount") {
			x.broken("%s panics with %q", target, a.body)
		}
	}
}

// two returns an application with the managers "outer" and "inner" mounted on the engine.
func (x *trial) two(h func(c Context, outer, inner *core.Manager) error) {
	x.Helper()
	outer := x.manager(core.Options{Prefix: "outer:", Cookie: core.Cookie{Name: "outer"}})
	inner := x.manager(core.Options{Prefix: "inner:", Cookie: core.Cookie{Name: "inner"}})
	x.app.Engine = []*core.Manager{outer, inner}
	x.get("/two", func(c Context) error { return h(c, outer, inner) })
	x.start()
}

// wantBoth checks that each manager's cookie is set once.
func (x *trial) wantBoth(a *answer) {
	x.Helper()
	if o, i := a.cookies("outer"), a.cookies("inner"); len(o) != 1 || len(i) != 1 {
		x.broken("Set-Cookie for outer: %q, for inner: %q; want one each", o, i)
	}
}

func addBoth(c Context, outer, inner *core.Manager) string {
	o := visits.Update(c.GetFrom(outer), func(n int) int { return n + 1 })
	i := visits.Update(c.GetFrom(inner), func(n int) int { return n + 10 })
	return fmt.Sprint(o, " ", i, " ", visits.Get(c.Get()))
}

func mountTwoManagers(x *trial) {
	x.two(func(c Context, outer, inner *core.Manager) error { return c.Body(200, addBoth(c, outer, inner)) })
	b := x.browser()
	a := b.get("/two")
	x.wantBody(a, "1 10 10")
	x.wantBoth(a)
	x.wantRecords(2)
	a = b.get("/two")
	x.wantBody(a, "2 20 20")
	x.wantNoCookie(a)
}

func mountTwoManagersCommit(x *trial) {
	x.two(func(c Context, outer, inner *core.Manager) error {
		text := addBoth(c, outer, inner)
		if err := c.Commit(); err != nil {
			return err
		}
		if n := x.store.count("save"); n != 2 {
			return c.Body(200, fmt.Sprintf("Commit made %d saves, want 2", n))
		}
		return c.Body(200, text)
	})
	a := x.browser().get("/two")
	x.wantBody(a, "1 10 10")
	x.wantBoth(a)
}

// mountTwoManagersFail lets the session of one manager, then of the other, be unsavable.
func mountTwoManagersFail(x *trial) {
	x.two(func(c Context, outer, inner *core.Manager) error {
		bad := outer
		if c.Query("bad") == "inner" {
			bad = inner
		}
		note.Update(c.GetFrom(bad), func(string) string { return strings.Repeat("x", core.DefaultMaxSize+1) })
		return c.Body(200, body)
	})
	for _, name := range [...]string{"outer", "inner"} {
		a := x.browser().get("/two?bad=" + name)
		x.wantStatus(a, http.StatusInternalServerError)
		if strings.Contains(a.body, body) || len(a.cookies(name)) > 0 {
			x.broken("%s failed, and the answer is %q with cookies %q", name, a.body, a.cookies(name))
		}
	}
	x.wantRecords(0)
}

func mountSameName(x *trial) {
	x.app.Engine = []*core.Manager{x.manager(core.Options{}), x.manager(core.Options{Prefix: "other:"})}
	x.start()
	a := x.browser().get("/count")
	x.wantStatus(a, http.StatusInternalServerError)
	x.wantNoCookie(a)
	x.wantRecords(0)
}

func mountNotFound(x *trial) {
	x.serve(core.Options{})
	b := x.visitor()
	for _, who := range []*browser{b, x.browser()} {
		a := who.get("/nowhere")
		x.wantStatus(a, http.StatusNotFound)
		x.wantNoCookie(a)
	}
	x.wantBody(b.get("/read"), "1")
}

func mountNotFoundHandler(x *trial) {
	x.app.NotFound = func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Fail(http.StatusNotFound)
	}
	x.serve(core.Options{})
	b := x.browser()
	a := b.get("/nowhere")
	x.wantStatus(a, http.StatusNotFound)
	x.wantCookie(a)
	x.wantBody(b.get("/read"), "1")
}

func mountMethodNotAllowed(x *trial) {
	x.serve(core.Options{})
	b := x.visitor()
	a := b.do(b.request(x.Context(), http.MethodDelete, "/read"))
	x.wantStatus(a, http.StatusMethodNotAllowed)
	x.wantNoCookie(a)
	x.wantBody(b.get("/read"), "1")
}
