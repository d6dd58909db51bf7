package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// leaveCases returns the cases about what happens to a response after its handler: error handlers,
// middleware outside, panics, late uses of the session.
func leaveCases() []testCase {
	return []testCase{
		{"H1/ErrorPageReads", ruleLeave, leaveErrorPageReads},
		{"H1/ErrorPagePublic", ruleLeave, leaveErrorPagePublic},
		{"H1/Panic", ruleLeave, leavePanic},
		{"H1/PanicAfterCommit", ruleLeave, leavePanicAfterCommit},
		{"H1/LateRead", ruleLeave, leaveLateRead},
		{"H1/StreamRead", ruleLeave, leaveStreamRead},
		{"H1/Targeted", ruleStricter, leaveTargeted},
		{"H1/SignedIn", ruleSignedIn, leaveSignedIn},
		{"H2/ErrorPageWrites", ruleErrorPage, leaveErrorPageWrites},
		{"H2/Kept", ruleAfterClose, leaveKept},
		{"A7/OwnPage", ruleOwnPage, leaveOwnPage},
		{"A6/LookupMissing", ruleLookup, leaveLookupMissing},
		{"A6/OtherManager", ruleLookup, leaveOtherManager},
	}
}

const cached = "public, max-age=60"

// wantUncached checks that no shared cache stores the answer.
func (e *env) wantUncached(a *answer) {
	e.Helper()
	if value := a.field("Cache-Control"); !hasToken(value, "no-store") &&
		(!hasToken(value, "private") || !hasToken(a.field("Vary"), "Cookie")) {
		e.Errorf("Cache-Control is %q and Vary %q, want no-store, or private and Cookie",
			value, a.field("Vary"))
	}
}

// leaveErrorPageReads reads the session only when the handler has failed.
func leaveErrorPageReads(e *env) {
	e.handleGet("/fail", func(c Context) error { return c.Fail(http.StatusTeapot) })
	e.app.Failed = func(c Context, status int) error {
		c.SetHeader("Cache-Control", cached)
		s, ok := c.Lookup()
		if !ok {
			return c.Body(status, "no session")
		}
		return c.Body(status, fmt.Sprint("visits: ", visits.Get(s)))
	}
	for _, lazy := range []bool{false, true} {
		e.serve(core.Options{Lazy: lazy})
		a := e.newVisitor().get("/fail")
		if a.status != http.StatusTeapot || a.body != "visits: 1" {
			e.Errorf("the answer is %d %q", a.status, a.body)
		}
		e.wantUncached(a)
		e.app.Routes = e.app.Routes[:1]
	}
}

// leaveErrorPagePublic has the error page tell caches to keep a response that sets the cookie.
func leaveErrorPagePublic(e *env) {
	e.handleGet("/fail", func(c Context) error {
		visits.Update(c.Get(), increment)
		return c.Fail(http.StatusTeapot)
	})
	e.app.Failed = func(c Context, status int) error {
		c.SetHeader("Cache-Control", cached)
		return c.Body(status, "failed")
	}
	e.serve(core.Options{})
	b := e.newBrowser()
	a := b.get("/fail")
	e.wantStatus(a, http.StatusTeapot)
	e.wantCookie(a)
	e.wantNoStore(a)
	e.wantUncached(b.get("/fail"))
	e.wantBody(b.get("/read"), "2")
}

func leavePanic(e *env) {
	e.handleGet("/panic", func(c Context) error {
		c.SetHeader("Cache-Control", cached)
		visits.Get(c.Get())
		panic("the handler panics")
	})
	e.serve(core.Options{})
	a := e.newVisitor().get("/panic")
	e.wantStatus(a, http.StatusInternalServerError)
	e.wantUncached(a)
}

func leavePanicAfterCommit(e *env) {
	e.handleGet("/panic", func(c Context) error {
		visits.Update(c.Get(), increment)
		if err := c.Commit(); err != nil {
			return err
		}
		c.SetHeader("Cache-Control", cached)
		panic("the handler panics")
	})
	e.serve(core.Options{})
	a := e.newBrowser().get("/panic")
	e.wantStatus(a, http.StatusInternalServerError)
	e.wantCookie(a)
	e.wantNoStore(a)
}

// leaveLateRead uses the session when a part of the body has been written.
func leaveLateRead(e *env) {
	for target, parts := range map[string]int{"/one": 1, "/three": 3} {
		e.handleGet(target, func(c Context) error {
			c.SetHeader("Cache-Control", cached)
			s := c.Get()
			return c.Stream(func(w Flusher) {
				for range parts {
					_, _ = io.WriteString(w, "part ")
				}
				_, _ = fmt.Fprint(w, visits.Get(s))
			})
		})
	}
	e.serve(core.Options{})
	b := e.newVisitor()
	for target, body := range map[string]string{"/one": "part 1", "/three": "part part part 1"} {
		a := b.get(target)
		e.wantBody(a, body)
		e.wantUncached(a)
	}
}

// leaveStreamRead uses the session when the client has the first part of a stream.
func leaveStreamRead(e *env) {
	e.handleGet("/stream", func(c Context) error {
		c.SetHeader("Cache-Control", cached)
		s := c.Get()
		return c.Stream(func(w Flusher) {
			_, _ = io.WriteString(w, "first ")
			_ = w.Flush()
			_, _ = fmt.Fprint(w, visits.Get(s))
		})
	})
	e.serve(core.Options{})
	a := e.newVisitor().get("/stream")
	e.wantBody(a, "first 1")
	e.wantUncached(a)
}

// leaveTargeted sets fields that count for some caches more than Cache-Control.
func leaveTargeted(e *env) {
	fields := []string{
		"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control",
		"X-Accel-Expires",
	}
	e.handleGet("/targeted", func(c Context) error {
		for _, name := range fields {
			c.SetHeader(name, "60")
		}
		visits.Get(c.Get())
		return c.Body(200, "targeted")
	})
	e.handleGet("/understood", func(c Context) error {
		c.SetHeader("Cache-Control", "must-understand, no-store, max-age=60")
		visits.Get(c.Get())
		return c.Body(200, "understood")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	a := b.get("/targeted")
	e.wantPrivate(a)
	for _, name := range fields {
		if value := a.field(name); value != "" {
			e.Errorf("%s is %q, want none", name, value)
		}
	}
	a = b.get("/understood")
	if value := a.field("Cache-Control"); hasToken(value, "must-understand") {
		e.Errorf("Cache-Control is %q, which has caches ignore no-store", value)
	}
	e.wantUncached(a)
}

// leaveSignedIn has no page of a signed-in user stored, and the browser's data deleted with the
// session.
func leaveSignedIn(e *env) {
	const kinds = `"cache", "storage"`
	e.serve(core.Options{NoStoreSignedIn: true, ClearSiteData: kinds})
	b := e.newVisitor()
	e.wantPrivate(b.get("/read"))
	b.get("/login")
	b.get("/read")
	a := b.get("/read")
	e.wantNoCookie(a)
	e.wantNoStore(a)
	if value := a.field("Clear-Site-Data"); value != "" {
		e.Errorf("Clear-Site-Data is %q before the logout", value)
	}
	a = b.get("/logout")
	e.wantRemoval(a)
	if value := a.field("Clear-Site-Data"); value != kinds {
		e.Errorf("Clear-Site-Data is %q, want %q", value, kinds)
	}
}

// leaveErrorPageWrites has the page of an error leave a note in the session, of a browser that has
// one and of one that has none.
func leaveErrorPageWrites(e *env) {
	e.handleGet("/fail", func(c Context) error { return c.Fail(http.StatusTeapot) })
	e.handleGet("/note", func(c Context) error { return c.Body(200, note.Get(c.Get())) })
	var set error
	e.app.Failed = func(c Context, status int) error {
		s, ok := c.Lookup()
		if !ok {
			return c.Body(status, "no session")
		}
		set = note.Set(s, "try again")
		return c.Body(status, "failed")
	}
	e.serve(core.Options{})
	b := e.newVisitor()
	a := b.get("/fail")
	if a.status != http.StatusTeapot || a.body != "failed" || set != nil {
		e.Errorf("the answer is %d %q, and Set returned %v", a.status, a.body, set)
	}
	e.wantUncached(a)
	e.waitUntil("the save", func() bool { return b.get("/note").body == "try again" })

	b = e.newBrowser()
	b.get("/fail")
	switch read := b.get("/note").body; {
	case set == nil && read == "try again":
	case errors.Is(set, core.ErrLate) && read == "" && b.token() == "":
	default:
		e.Errorf("without a session Set returned %v, and the next request reads %q", set, read)
	}
}

// leaveKept changes a session that was kept when the middleware had returned, as what a handler
// has started may do. A handler that has used the session, and one that has not.
func leaveKept(e *env) {
	kept := make(chan *core.Session, 1)
	e.handleGet("/use", func(c Context) error {
		visits.Update(c.Get(), increment)
		kept <- c.Get()
		return c.Body(200, "ok")
	})
	e.handleGet("/keep", func(c Context) error {
		kept <- c.Get()
		return c.Body(200, "ok")
	})
	e.handleGet("/note", func(c Context) error { return c.Body(200, note.Get(c.Get())) })
	e.serve(core.Options{})
	for _, path := range []string{"/use", "/keep"} {
		b := e.newVisitor()
		b.get(path)
		if err := note.Set(<-kept, path); err != nil {
			e.Errorf("Set returned %v", err)
		}
		e.waitUntil("the save", func() bool { return b.get("/note").body == path })
	}
	b := e.newBrowser()
	b.get("/keep")
	s := <-kept
	e.waitUntil("an error", func() bool { return errors.Is(note.Set(s, "x"), core.ErrLate) })
}

// leaveOwnPage answers the error of Commit with a page of the handler's own.
func leaveOwnPage(e *env) {
	saves := 0
	e.handleGet("/own", func(c Context) error {
		visits.Update(c.Get(), increment)
		err := c.Commit()
		saves = e.store.calls("save")
		return c.Body(core.StatusCode(err), "sorry")
	})
	e.serve(core.Options{})
	for _, b := range []*browser{e.newVisitor(), e.newBrowser()} {
		e.store.fail("save", errDown)
		a := b.get("/own")
		if a.status != http.StatusServiceUnavailable || a.body != "sorry" {
			e.Errorf("the answer is %d %q, want the handler's page", a.status, a.body)
		}
		e.wantNoCookie(a)
		e.wantUncached(a)
		if n := e.store.calls("save") - saves; n != 0 {
			e.Errorf("there were %d saves after that of Commit, want none", n)
		}
		e.store.fail("save", nil)
	}
}

// leaveLookupMissing asks for a session where no middleware is mounted.
func leaveLookupMissing(e *env) {
	e.handleGet("/lookup", func(c Context) error {
		s, ok := c.Lookup()
		fromContext, found := core.FromContext(context.WithoutCancel(c.Context()))
		return c.Body(200, fmt.Sprint(s == nil, ok, fromContext == nil, found))
	})
	e.handleGet("/get", func(c Context) (err error) {
		defer func() { err = c.Body(200, fmt.Sprint(recover())) }()
		c.Get()
		return nil
	})
	e.start()
	e.wantBody(e.newBrowser().get("/lookup"), "true false true false")
	if a := e.newBrowser().get("/get"); !strings.Contains(a.body, "Lookup") {
		e.Errorf("Get panicked with %q, which does not name Lookup", a.body)
	}
}

// leaveOtherManager asks for the session of a manager whose middleware is not mounted.
func leaveOtherManager(e *env) {
	other := e.manager(core.Options{Cookie: core.Cookie{Name: "other"}})
	e.handleGet("/other", func(c Context) (err error) {
		defer func() { err = c.Body(200, fmt.Sprint(recover())) }()
		c.GetFrom(other)
		return nil
	})
	e.serve(core.Options{})
	a := e.newBrowser().get("/other")
	if !strings.HasPrefix(a.body, "sessions: ") || !strings.Contains(a.body, "another manager") {
		e.Errorf("GetFrom panicked with %q", a.body)
	}
}
