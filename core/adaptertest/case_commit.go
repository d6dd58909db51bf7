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

const (
	ruleCommit = "the session is saved, and its cookie put into the head, before the first byte of the response, whichever way it is sent"
	rulePanic  = "a handler that panics saves nothing and sends no cookie"
	ruleLate   = "after the first byte changes to a stored session are still saved; one that would need a cookie is ErrLate to the caller and an event, never a record"
)

// commitCases is H2: the commit point on every path.
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
		cases = append(cases, testCase{"H2/Path" + p.name, ruleCommit, func(x *trial) { commitPath(x, &p) }})
	}
	return cases
}

func change(c Context) error {
	visits.Update(c.Get(), increment)
	return nil
}

func commitPath(x *trial, p *path) {
	p.mount(x, change)
	x.serve(core.Options{})
	b := x.browser()
	a := p.ask(b)
	x.wantStatus(a, p.status)
	x.wantCookie(a)
	x.wantRecords(1)
	x.wantBody(b.get("/read"), "1")
	a = p.ask(b)
	x.wantStatus(a, p.status)
	x.wantNoCookie(a)
	x.wantBody(b.get("/read"), "2")
	x.wantRecords(1)
}

// commitBeforeFirstByte looks at the store while the handler, whose first bytes have arrived, is still busy.
func commitBeforeFirstByte(x *trial) {
	gate := make(chan struct{})
	x.get("/stream", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			<-gate
		})
	})
	x.serve(core.Options{})
	for _, b := range []*browser{x.browser(), x.visitor()} {
		saves := x.store.count("save")
		res, err := b.client.Do(b.request(x.Context(), http.MethodGet, "/stream")) //nolint:bodyclose // finish closes it
		if err != nil {
			close(gate)
			x.Fatalf("stream: %v", err)
		}
		first := make([]byte, 5)
		_, _ = io.ReadFull(res.Body, first)
		if x.store.count("save") != saves+1 {
			x.broken("the first bytes %q have arrived and the session is not saved", first)
		}
		gate <- struct{}{}
		b.finish(res)
		if b.token() == "" {
			x.broken("the response has no cookie")
		}
	}
}

func commitAfterEarlyHints(x *trial) {
	if x.server.NoInformational {
		x.Skip("the framework sends no informational responses")
	}
	x.get("/hints", func(c Context) error {
		if err := c.EarlyHints(); err != nil {
			return err
		}
		visits.Update(c.Get(), increment)
		return c.Body(200, body)
	})
	x.serve(core.Options{})
	b := x.browser()
	hints := 0
	ctx := httptrace.WithClientTrace(x.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints++
			if code != http.StatusEarlyHints || len(h["Set-Cookie"]) > 0 || len(h["Vary"]) > 0 {
				x.broken("informational response is %d %v", code, h)
			}
			return nil
		},
	})
	a := b.do(b.request(ctx, http.MethodGet, "/hints"))
	x.wantBody(a, body)
	x.wantCookie(a)
	if hints != 1 {
		x.broken("there were %d informational responses, want 1", hints)
	}
	x.wantBody(b.get("/read"), "1")
}

func commitPanic(x *trial) {
	x.get("/panic", func(c Context) error {
		visits.Update(c.Get(), increment)
		panic("handler")
	})
	x.serve(core.Options{})
	a := x.browser().get("/panic")
	x.wantStatus(a, http.StatusInternalServerError)
	x.wantNoCookie(a)
	x.wantRecords(0)
	b := x.visitor()
	x.wantNoCookie(b.get("/panic"))
	x.wantBody(b.get("/read"), "1")
}

func commitPanicAfterFailure(x *trial) {
	x.get("/panic", func(c Context) error {
		visits.Update(c.Get(), increment)
		_ = c.Body(200, body)
		panic("handler")
	})
	x.serve(core.Options{})
	b := x.visitor()
	x.store.fail("save", errDown)
	a := b.get("/panic")
	if a.status < 500 || strings.Contains(a.body, body) {
		x.broken("answer is %d %q after a failed commit and a panic", a.status, a.body)
	}
}

func commitLateChange(x *trial) {
	x.get("/late", func(c Context) error {
		s := c.Get()
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			visits.Update(s, increment)
		})
	})
	x.serve(core.Options{})
	b := x.visitor()
	a := b.get("/late")
	x.wantBody(a, "first")
	x.wantNoCookie(a)
	x.eventually("saving the late change", func() bool { return x.store.count("save") == 2 })
	x.wantBody(b.get("/read"), "2")
}

func commitLateNew(x *trial) {
	failed := make(chan error, 4)
	x.get("/late", func(c Context) error {
		s := c.Get()
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first")
			_ = w.Flush()
			failed <- visits.Set(s, 1)
			failed <- s.Login("alice")
		})
	})
	x.serve(core.Options{})
	a := x.browser().get("/late")
	x.wantBody(a, "first")
	x.wantNoCookie(a)
	for range 2 {
		if err := await(x, "the late change", failed); !errors.Is(err, core.ErrLate) {
			x.broken("the late change returned %v, want ErrLate", err)
		}
	}
	x.eventually("the event of a late change", func() bool { return x.saw(core.EventLate) })
	x.wantRecords(0)
}

func commitThenStream(x *trial) {
	x.get("/stream", func(c Context) error {
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
	x.serve(core.Options{})
	b := x.browser()
	a := b.get("/stream")
	x.wantBody(a, "first")
	x.wantCookie(a)
	x.eventually("saving the late change", func() bool { return x.store.count("save") == 2 })
	x.wantBody(b.get("/read"), "2")
}

// commitUpgradeSave changes the session on the upgraded connection, where Save is the handler's own.
func commitUpgradeSave(x *trial) {
	var saved atomic.Bool
	x.get("/p", func(c Context) error {
		s := c.Get()
		visits.Update(s, increment)
		return c.Upgrade(func(conn net.Conn) {
			visits.Update(s, increment)
			saved.Store(s.Save(context.Background()) == nil)
			_, _ = io.WriteString(conn, body)
		})
	})
	x.serve(core.Options{})
	b := x.visitor()
	p := path{name: "Upgrade", target: "/p"}
	a := p.ask(b)
	x.wantStatus(a, http.StatusSwitchingProtocols)
	if a.body != body || !saved.Load() {
		x.broken("the upgraded connection said %q, saved: %v", a.body, saved.Load())
	}
	x.wantBody(b.get("/read"), "3")
}
