package adaptertest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"

	"github.com/cloakroom-go/sessions/core"
)

// commitCases returns the cases H2, about the moment at which the session is saved.
func commitCases() []testCase {
	cases := []testCase{
		{"H2/BeforeFirstByte", ruleCommit, commitBeforeFirstByte},
		{"H2/EarlyHintsFirst", ruleCommit, commitAfterEarlyHints},
		{"H2/Panic", rulePanic, commitPanic},
		{"H2/PanicAfterFailedCommit", rulePanic, commitPanicAfterFailure},
		{"H2/LateChange", ruleLate, commitLateChange},
		{"H2/LateNewSession", ruleLate, commitLateNew},
		{"H2/CommitThenStream", ruleCommit, commitThenStream},
		{"H2/UpgradeSave", ruleLate, commitUpgradeSave},
	}
	for _, p := range paths() {
		run := func(e *env) { commitPath(e, &p) }
		cases = append(cases, testCase{"H2/Path" + p.name, ruleCommit, run})
	}
	return cases
}

func commitPath(e *env, p *path) {
	p.addRoute(e, addVisit)
	e.serve(core.Options{})
	b := e.newBrowser()
	a := p.visit(b)
	e.wantStatus(a, p.status)
	e.wantCookie(a)
	e.wantRecords(1)
	e.wantBody(b.get("/read"), "1")
	a = p.visit(b)
	e.wantStatus(a, p.status)
	e.wantNoCookie(a)
	e.wantBody(b.get("/read"), "2")
	e.wantRecords(1)
}

// commitBeforeFirstByte looks at the store when the client has received the first bytes and
// the handler is still running.
func commitBeforeFirstByte(e *env) {
	gate := make(chan struct{})
	e.handleGet("/stream", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			<-gate
		})
	})
	e.serve(core.Options{})
	for _, b := range []*browser{e.newBrowser(), e.newVisitor()} {
		saves := e.store.calls("save")
		r := b.request(e.Context(), http.MethodGet, "/stream")
		res, err := b.client.Do(r) //nolint:bodyclose // readAnswer closes it
		if err != nil {
			close(gate)
			e.Fatalf("stream: %v", err)
		}
		first := make([]byte, 5)
		_, _ = io.ReadFull(res.Body, first)
		if e.store.calls("save") != saves+1 {
			e.Errorf("the client received %q before the session was saved", first)
		}
		gate <- struct{}{}
		b.readAnswer(res)
		if b.token() == "" {
			e.Errorf("the response sets no cookie")
		}
	}
}

func commitAfterEarlyHints(e *env) {
	if e.server.NoInformational {
		e.Skip("the framework cannot send informational responses")
	}
	e.handleGet("/hints", func(c Context) error {
		if err := c.EarlyHints(); err != nil {
			return err
		}
		visits.Update(c.Get(), increment)
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{})
	b := e.newBrowser()
	hints := 0
	ctx := httptrace.WithClientTrace(e.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints++
			if code != http.StatusEarlyHints || len(h["Set-Cookie"]) > 0 || len(h["Vary"]) > 0 {
				e.Errorf("informational response is %d %v, want 103 without Set-Cookie and Vary",
					code, h)
			}
			return nil
		},
	})
	a := b.do(b.request(ctx, http.MethodGet, "/hints"))
	e.wantBody(a, handlerBody)
	e.wantCookie(a)
	if hints != 1 {
		e.Errorf("there were %d informational responses, want 1", hints)
	}
	e.wantBody(b.get("/read"), "1")
}

func commitPanic(e *env) {
	e.handleGet("/panic", func(c Context) error {
		visits.Update(c.Get(), increment)
		panic("handler")
	})
	e.serve(core.Options{})
	a := e.newBrowser().get("/panic")
	e.wantStatus(a, http.StatusInternalServerError)
	e.wantNoCookie(a)
	e.wantRecords(0)
	b := e.newVisitor()
	e.wantNoCookie(b.get("/panic"))
	e.wantBody(b.get("/read"), "1")
}

func commitPanicAfterFailure(e *env) {
	e.handleGet("/panic", func(c Context) error {
		visits.Update(c.Get(), increment)
		_ = c.Body(200, handlerBody)
		panic("handler")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	e.store.fail("save", errDown)
	a := b.get("/panic")
	if a.status < 500 || strings.Contains(a.body, handlerBody) {
		e.Errorf("answer is %d %q after a failed commit and a panic", a.status, a.body)
	}
}

func commitLateChange(e *env) {
	e.handleGet("/late", func(c Context) error {
		s := c.Get()
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			visits.Update(s, increment)
		})
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	a := b.get("/late")
	e.wantBody(a, "first")
	e.wantNoCookie(a)
	e.waitUntil("saving the late change", func() bool { return e.store.calls("save") == 2 })
	e.wantBody(b.get("/read"), "2")
}

func commitLateNew(e *env) {
	failed := make(chan error, 4)
	e.handleGet("/late", func(c Context) error {
		s := c.Get()
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			failed <- visits.Set(s, 1)
			failed <- s.Login("alice")
		})
	})
	e.serve(core.Options{})
	a := e.newBrowser().get("/late")
	e.wantBody(a, "first")
	e.wantNoCookie(a)
	for range 2 {
		if err := receive(e, "the late change", failed); !errors.Is(err, core.ErrLate) {
			e.Errorf("the late change returned %v, want ErrLate", err)
		}
	}
	e.waitUntil("the event of a late change", func() bool { return e.sawEvent(core.EventLate) })
	e.wantRecords(0)
}

func commitThenStream(e *env) {
	e.handleGet("/stream", func(c Context) error {
		s := c.Get()
		visits.Update(s, increment)
		if err := c.Commit(); err != nil {
			return err
		}
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			visits.Update(s, increment)
		})
	})
	e.serve(core.Options{})
	b := e.newBrowser()
	a := b.get("/stream")
	e.wantBody(a, "first")
	e.wantCookie(a)
	e.waitUntil("saving the late change", func() bool { return e.store.calls("save") == 2 })
	e.wantBody(b.get("/read"), "2")
}

// commitUpgradeSave changes the session on the upgraded connection, where the handler itself
// has to call Save.
func commitUpgradeSave(e *env) {
	var saved atomic.Bool
	e.handleGet("/p", func(c Context) error {
		s := c.Get()
		visits.Update(s, increment)
		return c.Upgrade(func(conn net.Conn) {
			visits.Update(s, increment)
			saved.Store(s.Save(context.Background()) == nil)
			_, _ = io.WriteString(conn, handlerBody)
		})
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	p := path{name: "Upgrade", target: "/p"}
	a := p.visit(b)
	e.wantStatus(a, http.StatusSwitchingProtocols)
	if a.body != handlerBody || !saved.Load() {
		e.Errorf("the upgraded connection sent %q, and Save succeeded: %v", a.body, saved.Load())
	}
	e.wantBody(b.get("/read"), "3")
}
