package adaptertest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// wantStatus checks the status.
func (e *env) wantStatus(a *answer, status int) {
	e.Helper()
	if a.status != status {
		e.Errorf("status is %d, want %d; body %q", a.status, status, a.body)
	}
}

// wantBody checks that the status is 200, and checks the body.
func (e *env) wantBody(a *answer, body string) {
	e.Helper()
	if a.status != http.StatusOK || a.body != body {
		e.Errorf("answer is %d %q, want 200 %q", a.status, a.body, body)
	}
}

// wantNoCookie checks that the answer sets no cookie.
func (e *env) wantNoCookie(a *answer) {
	e.Helper()
	if lines := a.header.Values("Set-Cookie"); len(lines) > 0 {
		e.Errorf("the response sets cookies: %q", lines)
	}
}

// wantCookie checks that the answer sets the session cookie exactly once, and returns the
// Set-Cookie line.
func (e *env) wantCookie(a *answer) string {
	e.Helper()
	lines := a.cookies("session")
	if len(lines) != 1 {
		e.Errorf("the response sets the cookie %d times, want once: %q", len(lines), lines)
		return ""
	}
	return lines[0]
}

// wantRemoval checks that the answer removes the session cookie.
func (e *env) wantRemoval(a *answer) {
	e.Helper()
	if line := e.wantCookie(a); !strings.Contains(line, "Max-Age=0") {
		e.Errorf("Set-Cookie is %q, want one that removes the cookie", line)
	}
}

// wantPrivate checks that shared caches do not store the answer.
func (e *env) wantPrivate(a *answer) {
	e.Helper()
	cacheControl, vary := a.field("Cache-Control"), a.field("Vary")
	if !hasToken(cacheControl, "private") || !hasToken(vary, "Cookie") {
		e.Errorf("Cache-Control is %q and Vary %q, want private and Cookie", cacheControl, vary)
	}
}

// wantNoStore checks that no cache stores the answer.
func (e *env) wantNoStore(a *answer) {
	e.Helper()
	if !hasToken(a.field("Cache-Control"), "no-store") {
		e.Errorf("Cache-Control is %q, want no-store", a.field("Cache-Control"))
	}
}

// wantRefused checks that the answer is an error with this status and contains nothing of the
// handler's response.
func (e *env) wantRefused(a *answer, status int) {
	e.Helper()
	e.wantStatus(a, status)
	e.wantNoCookie(a)
	e.wantNoStore(a)
	if strings.Contains(a.body, handlerBody) || strings.Contains(a.body, "elsewhere") {
		e.Errorf("the handler's body was sent: %q", a.body)
	}
	for name, value := range contentFields() {
		if a.field(name) == value {
			e.Errorf("the handler's %s was sent: %q", name, value)
		}
	}
}

// contentFields returns header fields that a handler may set and that describe its body, with
// values that no framework sets.
func contentFields() map[string]string {
	return map[string]string{
		"Content-Type": "application/x-handler", "Content-Disposition": "attachment",
		"Content-Language": "de", "Content-Encoding": "x-handler", "Etag": `"handler"`,
		"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Location": "/elsewhere",
		"Expires": "Thu, 01 Jan 2026 00:00:00 GMT",
	}
}

// wantCalls checks the number of all store calls.
func (e *env) wantCalls(n int) {
	e.Helper()
	if got := e.store.calls(); got != n {
		e.Errorf("there were %d store calls, want %d", got, n)
	}
}

// wantSessions checks the number of sessions that have not ended, and of the records that remember
// for a while those that have.
func (e *env) wantSessions(live, ended int) {
	e.Helper()
	got := e.liveSessions()
	if got != live {
		e.Errorf("there are %d sessions, want %d", got, live)
	}
	if marks := e.store.records() - got; marks != ended {
		e.Errorf("there are %d other records in the store, want %d", marks, ended)
	}
}

// liveSessions returns the number of sessions with the usual name of the cookie that have not
// ended.
func (e *env) liveSessions() (n int) {
	e.Helper()
	m, err := core.NewManager(core.Options{
		Store: e.store.inner, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		e.Fatalf("NewManager: %v", err)
	}
	defer func() { _ = m.Close(context.WithoutCancel(e.Context())) }()
	for cursor := ""; ; {
		list, next, err := m.Page(e.Context(), cursor, 0)
		if err != nil {
			e.Fatalf("Page: %v", err)
		}
		if n += len(list); next == "" {
			return n
		}
		cursor = next
	}
}

// wantRecords checks the number of stored records.
func (e *env) wantRecords(n int) {
	e.Helper()
	if got := e.store.records(); got != n {
		e.Errorf("there are %d records in the store, want %d", got, n)
	}
}
