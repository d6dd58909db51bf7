package adaptertest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// mountCases returns the cases A6, about where the middleware is mounted.
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
		{"A6/NoManager", ruleMade, mountNoManager},
		{"A6/NotFound", ruleNoRoute, mountNotFound},
		{"A6/NotFoundHandler", ruleNoRoute, mountNotFoundHandler},
		{"A6/MethodNotAllowed", ruleNoRoute, mountMethodNotAllowed},
	}
}

// wantCounting checks that requests for target share one session, and that each makes one load
// and one save.
func (e *env) wantCounting(target string) {
	e.Helper()
	b := e.newBrowser()
	a := b.get(target)
	e.wantBody(a, "1")
	e.wantCookie(a)
	loads, saves := e.store.calls("load"), e.store.calls("save")
	a = b.get(target)
	e.wantBody(a, "2")
	e.wantNoCookie(a)
	loads, saves = e.store.calls("load")-loads, e.store.calls("save")-saves
	if loads != 1 || saves != 1 {
		e.Errorf("one request made %d loads and %d saves, want one of each", loads, saves)
	}
}

func mountTwice(e *env) {
	m := e.manager(core.Options{})
	e.app.Engine = []*core.Manager{m, m}
	e.start()
	e.wantCounting("/count")
}

func mountEngineAndGroup(e *env) {
	m := e.manager(core.Options{})
	e.app.Engine, e.app.Group = []*core.Manager{m}, []*core.Manager{m, m}
	e.handleGet("/group/count", countVisit)
	e.start()
	e.wantCounting("/group/count")
	e.wantCounting("/count")
}

func mountGroup(e *env) {
	e.app.Group = []*core.Manager{e.manager(core.Options{})}
	e.handleGet("/group/count", countVisit)
	e.handleGet("/outside", func(c Context) error { return c.Body(200, "outside") })
	e.start()
	e.wantCounting("/group/count")
	calls := e.store.calls()
	e.wantBody(e.newBrowser().get("/outside"), "outside")
	e.wantCalls(calls)
}

func mountMissing(e *env) {
	other := e.manager(core.Options{})
	uses := map[string]func(c Context){
		"/get":    func(c Context) { c.Get() },
		"/from":   func(c Context) { c.GetFrom(other) },
		"/load":   func(c Context) { _, _ = c.Load() },
		"/commit": func(c Context) { _ = c.Commit() },
	}
	for target, use := range uses {
		e.handleGet(target, func(c Context) (err error) {
			defer func() { err = c.Body(200, fmt.Sprint(recover())) }()
			use(c)
			return nil
		})
	}
	e.start()
	for target := range uses {
		a := e.newBrowser().get(target)
		if !strings.HasPrefix(a.body, "sessions: ") || !strings.Contains(a.body, "mount") {
			e.Errorf("%s panicked with %q", target, a.body)
		}
	}
}

// serveTwo starts the server with the managers "outer" and "inner" on the whole application.
// The route /two calls h.
func (e *env) serveTwo(h func(c Context, outer, inner *core.Manager) error) {
	e.Helper()
	outer := e.manager(core.Options{Prefix: "outer:", Cookie: core.Cookie{Name: "outer"}})
	inner := e.manager(core.Options{Prefix: "inner:", Cookie: core.Cookie{Name: "inner"}})
	e.app.Engine = []*core.Manager{outer, inner}
	e.handleGet("/two", func(c Context) error { return h(c, outer, inner) })
	e.start()
}

// wantBothCookies checks that the cookie of each of the two managers is set once.
func (e *env) wantBothCookies(a *answer) {
	e.Helper()
	if o, i := a.cookies("outer"), a.cookies("inner"); len(o) != 1 || len(i) != 1 {
		e.Errorf("Set-Cookie for outer is %q and for inner %q, want one each", o, i)
	}
}

// countBoth adds 1 to the visits of the outer session and 10 to those of the inner one. It
// returns both numbers and what Get reads.
func countBoth(c Context, outer, inner *core.Manager) string {
	o := visits.Update(c.GetFrom(outer), func(n int) int { return n + 1 })
	i := visits.Update(c.GetFrom(inner), func(n int) int { return n + 10 })
	return fmt.Sprint(o, " ", i, " ", visits.Get(c.Get()))
}

func mountTwoManagers(e *env) {
	e.serveTwo(func(c Context, outer, inner *core.Manager) error {
		return c.Body(200, countBoth(c, outer, inner))
	})
	b := e.newBrowser()
	a := b.get("/two")
	e.wantBody(a, "1 10 10")
	e.wantBothCookies(a)
	e.wantRecords(2)
	a = b.get("/two")
	e.wantBody(a, "2 20 20")
	e.wantNoCookie(a)
}

func mountTwoManagersCommit(e *env) {
	e.serveTwo(func(c Context, outer, inner *core.Manager) error {
		text := countBoth(c, outer, inner)
		if err := c.Commit(); err != nil {
			return err
		}
		if n := e.store.calls("save"); n != 2 {
			return c.Body(200, fmt.Sprintf("Commit made %d saves, want 2", n))
		}
		return c.Body(200, text)
	})
	a := e.newBrowser().get("/two")
	e.wantBody(a, "1 10 10")
	e.wantBothCookies(a)
}

// mountTwoManagersFail makes the session of each manager in turn impossible to save.
func mountTwoManagersFail(e *env) {
	e.serveTwo(func(c Context, outer, inner *core.Manager) error {
		bad := outer
		if c.Query("bad") == "inner" {
			bad = inner
		}
		large := strings.Repeat("x", core.DefaultMaxSize+1)
		note.Update(c.GetFrom(bad), func(string) string { return large })
		return c.Body(200, handlerBody)
	})
	for _, name := range [...]string{"outer", "inner"} {
		a := e.newBrowser().get("/two?bad=" + name)
		e.wantStatus(a, http.StatusInternalServerError)
		if strings.Contains(a.body, handlerBody) || len(a.cookies(name)) > 0 {
			e.Errorf("after %s failed the answer is %q with cookies %q",
				name, a.body, a.cookies(name))
		}
	}
	e.wantRecords(0)
}

func mountSameName(e *env) {
	first, second := e.manager(core.Options{}), e.manager(core.Options{Prefix: "other:"})
	e.app.Engine = []*core.Manager{first, second}
	e.start()
	a := e.newBrowser().get("/count")
	e.wantStatus(a, http.StatusInternalServerError)
	e.wantNoCookie(a)
	e.wantRecords(0)
}

func mountNoManager(e *env) {
	for name, m := range map[string]*core.Manager{"nil": nil, "zero": new(core.Manager)} {
		text := e.panicAtStart(App{Engine: []*core.Manager{m}})
		if !strings.HasPrefix(text, "sessions: ") || !strings.Contains(text, "NewManager") {
			e.Errorf("mounting a %s manager panicked with %q", name, text)
		}
	}
}

// panicAtStart returns the text of the panic with which the start of a server ends.
func (e *env) panicAtStart(app App) (text string) {
	e.Helper()
	defer func() { text = fmt.Sprint(recover()) }()
	e.server.Start(e.T, app)
	return ""
}

func mountNotFound(e *env) {
	e.serve(core.Options{})
	visitor := e.newVisitor()
	for _, b := range []*browser{visitor, e.newBrowser()} {
		a := b.get("/nowhere")
		e.wantStatus(a, http.StatusNotFound)
		e.wantNoCookie(a)
	}
	e.wantBody(visitor.get("/read"), "1")
}

func mountNotFoundHandler(e *env) {
	e.app.NotFound = func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Fail(http.StatusNotFound)
	}
	e.serve(core.Options{})
	b := e.newBrowser()
	a := b.get("/nowhere")
	e.wantStatus(a, http.StatusNotFound)
	e.wantCookie(a)
	e.wantBody(b.get("/read"), "1")
}

func mountMethodNotAllowed(e *env) {
	e.serve(core.Options{})
	b := e.newVisitor()
	a := b.do(b.request(e.Context(), http.MethodDelete, "/read"))
	e.wantStatus(a, http.StatusMethodNotAllowed)
	e.wantNoCookie(a)
	e.wantBody(b.get("/read"), "1")
}
