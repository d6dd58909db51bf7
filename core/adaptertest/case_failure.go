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

const (
	ruleFailed  = "a failed commit replaces the response by an error: no cookie, nothing of the handler's body or of the fields that describe it"
	ruleOutage  = "an outage of the store is 503 before the handler runs, never a visitor without a session"
	ruleLogout  = "a logout that the store did not carry out is a failure to the client, and the cookie stays"
	ruleSaved   = "the save outlives the client's disconnect"
	ruleProgram = "a change that cannot be saved is status 500, and the handler's body is not sent"
	ruleLazy    = "a lazy session costs no store call until it is asked for, and an outage then is an error, never a visitor without a session"
)

// failedCommitCases is A7: what goes out when the session cannot be saved.
func failedCommitCases() []testCase {
	var cases []testCase
	for _, p := range paths() {
		cases = append(cases,
			testCase{"A7/Path" + p.name, ruleFailed, func(x *trial) { failedPath(x, &p, true) }},
			testCase{"A7/NewSession" + p.name, ruleFailed, func(x *trial) { failedPath(x, &p, false) }})
	}
	return append(cases,
		testCase{"A7/TooLarge", ruleProgram, failedTooLarge},
		testCase{"A7/Unencodable", ruleProgram, failedUnencodable})
}

// contentFields are the fields that failedPath's handler sets and that must go with its body.
func contentFields() map[string]string {
	return map[string]string{
		"Content-Type": "application/x-handler", "Content-Disposition": "attachment", "Content-Language": "de",
		"Content-Encoding": "x-handler", "Etag": `"handler"`, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
		"Location": "/elsewhere", "Expires": "Thu, 01 Jan 2026 00:00:00 GMT",
	}
}

func failedPath(x *trial, p *path, known bool) {
	p.mount(x, func(c Context) error {
		for name, value := range contentFields() {
			c.SetHeader(name, value)
		}
		c.SetHeader("Cache-Control", "public, max-age=60")
		visits.Update(c.Get(), increment)
		return nil
	})
	x.serve(core.Options{})
	b := x.browser()
	if known {
		b = x.visitor()
	}
	before := b.token()
	x.store.fail("save", errDown)
	a := p.ask(b)
	x.wantRefused(a, http.StatusServiceUnavailable)
	x.store.fail("save", nil)
	if b.token() != before {
		x.broken("the browser's cookie has changed")
	}
	if known {
		x.wantBody(b.get("/read"), "1")
	} else {
		x.wantRecords(0)
	}
}

// wantRefused checks that an answer is an error in place of the handler's response.
func (x *trial) wantRefused(a *answer, status int) {
	x.Helper()
	x.wantStatus(a, status)
	x.wantNoCookie(a)
	x.wantNoStore(a)
	if strings.Contains(a.body, body) || strings.Contains(a.body, "elsewhere") {
		x.broken("the handler's body has been sent: %q", a.body)
	}
	for name, value := range contentFields() {
		if a.field(name) == value {
			x.broken("the handler's %s has been sent: %q", name, value)
		}
	}
}

func failedTooLarge(x *trial) {
	x.get("/large", func(c Context) error {
		note.Update(c.Get(), func(string) string { return strings.Repeat("x", 2000) })
		return c.Body(200, body)
	})
	x.serve(core.Options{MaxSize: 1000})
	x.wantRefused(x.browser().get("/large"), http.StatusInternalServerError)
	b := x.visitor()
	x.wantRefused(b.get("/large"), http.StatusInternalServerError)
	x.wantBody(b.get("/read"), "1")
}

func failedUnencodable(x *trial) {
	const pipe = core.Key[chan int]("pipe")
	x.get("/update", func(c Context) error {
		pipe.Update(c.Get(), func(chan int) chan int { return make(chan int) })
		return c.Body(200, body)
	})
	x.get("/set", func(c Context) error {
		if err := pipe.Set(c.Get(), make(chan int)); err == nil {
			return c.Body(200, "no error")
		}
		return c.Body(200, "error")
	})
	x.serve(core.Options{})
	x.wantRefused(x.browser().get("/update"), http.StatusInternalServerError)
	a := x.browser().get("/set")
	x.wantBody(a, "error")
	x.wantNoCookie(a)
	x.wantRecords(0)
}

// outageCases is O1, O2, O4 and R8: the store or the client goes away.
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

func outageLoad(x *trial) {
	var ran atomic.Int32
	x.get("/ran", func(c Context) error {
		ran.Add(1)
		return c.Body(200, body)
	})
	x.serve(core.Options{})
	b := x.visitor()
	x.store.fail("load", errDown)
	a := b.get("/ran")
	x.wantRefused(a, http.StatusServiceUnavailable)
	if ran.Load() > 0 {
		x.broken("the handler ran")
	}
	if strings.Contains(a.body, errDown.Error()) {
		x.broken("the client is told the details: %q", a.body)
	}
	x.wantBody(x.browser().get("/ran"), body) // without a cookie nothing is loaded
	x.store.fail("load", nil)
	x.wantBody(b.get("/read"), "1")
}

func outageNotFound(x *trial) {
	x.serve(core.Options{})
	b := x.visitor()
	x.store.fail("load", errDown)
	x.wantRefused(b.get("/nowhere"), http.StatusServiceUnavailable)
}

func outageSave(x *trial) {
	x.serve(core.Options{})
	x.store.fail("save", errDown)
	x.wantRefused(x.browser().get("/count"), http.StatusServiceUnavailable)
	x.wantRecords(0)
}

func outageCommit(x *trial) {
	x.get("/commit", func(c Context) error {
		visits.Update(c.Get(), increment)
		if err := c.Commit(); errors.Is(err, core.ErrStore) {
			return c.Fail(507)
		}
		return c.Body(200, body)
	})
	x.serve(core.Options{})
	x.store.fail("save", errDown)
	a := x.browser().get("/commit")
	x.wantNoCookie(a)
	if a.status < 500 {
		x.broken("status is %d after a failed Commit", a.status)
	}
	x.wantRecords(0)
}

func outageDisconnect(x *trial) {
	entered, gate := make(chan context.Context, 1), make(chan struct{})
	x.get("/slow", func(c Context) error {
		entered <- c.Context()
		<-gate
		visits.Update(c.Get(), increment)
		return c.Body(200, body)
	})
	x.serve(core.Options{})
	b := x.visitor()
	ctx, cancel := context.WithCancel(x.Context())
	var done sync.WaitGroup
	r := b.request(ctx, http.MethodGet, "/slow")
	done.Go(func() {
		if res, err := b.client.Do(r); err == nil {
			_ = res.Body.Close()
		}
	})
	seen := await(x, "the handler's start", entered)
	cancel()
	done.Wait()
	if seen.Done() != nil {
		await(x, "the server's notice of the disconnect", seen.Done())
	}
	close(gate)
	x.eventually("the save", func() bool { return x.store.count("save") == 2 })
	x.wantBody(b.get("/read"), "2")
}

func outageLogout(x *trial) {
	x.serve(core.Options{})
	b := x.visitor()
	x.store.fail("delete", errDown)
	x.wantRefused(b.get("/logout"), http.StatusServiceUnavailable)
	x.store.fail("delete", nil)
	x.wantBody(b.get("/read"), "1")
	x.wantBody(b.get("/logout"), "signed out")
	x.wantRecords(0)
}

// lazyCases is about sessions that are loaded when the handler asks.
func lazyCases() []testCase {
	return []testCase{
		{"Lazy/Untouched", ruleLazy, lazyUntouched},
		{"Lazy/Outage", ruleLazy, lazyOutage},
		{"Lazy/Works", ruleLazy, lazyWorks},
	}
}

func lazyUntouched(x *trial) {
	x.get("/plain", func(c Context) error { return c.Body(200, "plain") })
	x.serve(core.Options{Lazy: true})
	b := x.visitor()
	calls := x.store.count()
	a := b.get("/plain")
	x.wantBody(a, "plain")
	x.wantCalls(calls)
	if a.field("Vary") != "" {
		x.broken("Vary is %q on a response that did not look at the session", a.field("Vary"))
	}
}

func lazyOutage(x *trial) {
	x.get("/load", func(c Context) error {
		if _, err := c.Load(); !errors.Is(err, core.ErrStore) {
			return c.Body(200, "Load reported no outage")
		}
		return c.Body(507, "outage")
	})
	x.serve(core.Options{Lazy: true})
	b := x.visitor()
	x.store.fail("load", errDown)
	if a := b.get("/load"); a.status != 507 || a.body != "outage" {
		x.broken("answer is %d %q, want the handler's own after Load's error", a.status, a.body)
	}
	x.wantRefused(b.get("/read"), http.StatusServiceUnavailable)
	x.wantRefused(b.get("/count"), http.StatusServiceUnavailable)
	x.wantRefused(b.get("/logout"), http.StatusServiceUnavailable)
	x.store.fail("load", nil)
	x.wantBody(b.get("/read"), "1")
}

func lazyWorks(x *trial) {
	x.get("/load", func(c Context) error {
		s, err := c.Load()
		if err != nil {
			return err
		}
		visits.Update(s, increment)
		return c.Body(200, "loaded")
	})
	x.serve(core.Options{Lazy: true})
	b := x.visitor()
	x.wantBody(b.get("/load"), "loaded")
	x.wantBody(b.get("/count"), "3")
}
