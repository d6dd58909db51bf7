package adaptertest

import (
	"io"
	"net/http"
	"strings"

	"github.com/cloakroom-go/sessions/core"
)

// identityCases returns the cases F1 to F6 and X3, about which token opens which session.
func identityCases() []testCase {
	return []testCase{
		{"F1/UnknownToken", ruleUnknown, identityUnknown},
		{"F2/Login", ruleLogin, identityLogin},
		{"F4/TokenElsewhere", ruleIgnored, identityElsewhere},
		{"F6/DestroyedToken", ruleDestroy, identityDestroyed},
		{"X3/Renew", ruleRenew, identityRenew},
	}
}

func identityUnknown(e *env) {
	e.serve(core.Options{})
	b := e.newBrowser()
	planted := unknownTokens(1)[0]
	b.cookies["session"] = planted
	a := b.get("/read")
	e.wantBody(a, "0")
	e.wantNoCookie(a)
	e.wantBody(b.get("/count"), "1")
	if idOf(b.token()) == idOf(planted) {
		e.Errorf("the session has the ID that the client sent")
	}
}

func identityLogin(e *env) {
	e.handleGet("/who", func(c Context) error { return c.Body(200, c.Get().Subject()) })
	e.serve(core.Options{})
	b := e.newVisitor()
	old := b.clone()
	e.wantCookie(b.get("/login"))
	if b.token() == old.token() || idOf(b.token()) != idOf(old.token()) {
		e.Errorf("login kept the secret or changed the ID")
	}
	e.wantBody(b.get("/who"), "alice")
	e.wantBody(b.get("/count"), "2")
	e.wantBody(old.get("/who"), "")
	a := old.get("/count")
	e.wantStatus(a, http.StatusOK)
	e.wantNoCookie(a)
	e.wantBody(b.get("/read"), "2")
	e.wantRecords(1)
}

func identityElsewhere(e *env) {
	e.handle(http.MethodPost, "/read", readVisits)
	e.serve(core.Options{})
	token := e.newVisitor().token()
	pair := "session=" + token
	calls := e.store.calls()
	b := e.newBrowser()
	form := b.request(e.Context(), http.MethodPost, "/read",
		"Content-Type", "application/x-www-form-urlencoded")
	form.Body, form.ContentLength = io.NopCloser(strings.NewReader(pair)), int64(len(pair))
	others := "sessions=" + token + "; sessio=" + token + "; xsession=" + token
	for where, a := range map[string]*answer{
		"query": b.get("/read?" + pair),
		"header": b.get("/read", "Session", token, "X-Session", token,
			"Authorization", "Bearer "+token, "Cookie2", pair),
		"form":          b.do(form),
		"other cookie":  b.get("/read", "Cookie", others),
		"Set-Cookie":    b.get("/read", "Set-Cookie", pair),
		"path argument": b.get("/read?a;" + pair),
	} {
		if a.status != http.StatusOK || a.body != "0" {
			e.Errorf("with the token in the %s the answer is %d %q, want 200 \"0\"",
				where, a.status, a.body)
		}
	}
	if a := b.get("/read;" + pair); a.status == http.StatusOK && a.body != "0" {
		e.Errorf("with the token in the path the answer is %q, want \"0\" or an error", a.body)
	}
	e.wantCalls(calls)
}

func identityDestroyed(e *env) {
	e.serve(core.Options{})
	b := e.newVisitor()
	old := b.clone()
	a := b.get("/logout")
	if line := e.wantCookie(a); !strings.HasPrefix(line, "session=;") {
		e.Errorf("Set-Cookie is %q, want one that removes the cookie", line)
	}
	e.wantSessions(0, 1)
	a = old.get("/read")
	e.wantBody(a, "0")
	e.wantNoCookie(a)
	a = old.get("/count")
	e.wantStatus(a, http.StatusOK)
	e.wantNoCookie(a)
	e.wantSessions(0, 1)
	// After a while the ended session is forgotten.
	before := old.token()
	if err := e.store.forget(e.Context(), uuidOf(before)); err != nil {
		e.Fatalf("Delete: %v", err)
	}
	e.wantBody(old.get("/count"), "1")
	if idOf(old.token()) == idOf(before) {
		e.Errorf("the ID of the ended session is used again")
	}
}

func identityRenew(e *env) {
	e.handleGet("/renew", func(c Context) error {
		if err := c.Get().Renew(); err != nil {
			return err
		}
		return c.Body(200, "renewed")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	old := b.clone()
	e.wantCookie(b.get("/renew"))
	if b.token() == old.token() {
		e.Errorf("renewal kept the secret")
	}
	e.wantBody(b.get("/read"), "1")
	a := old.get("/read")
	e.wantBody(a, "1")
	e.wantCookie(a)
	if old.token() != b.token() {
		e.Errorf("a browser with the old secret did not receive the current one")
	}
}
