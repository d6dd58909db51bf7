package adaptertest

import (
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// signOutCases returns the cases G4, about the handler that signs out.
func signOutCases() []testCase {
	return []testCase{
		{"G4/SignOut", ruleSignOut, signOut},
		{"G4/OtherMethods", ruleSignOut, signOutOtherMethods},
		{"G4/DoubleClick", ruleSignOut, signOutDoubleClick},
		{"G4/Outage", ruleLogout, signOutOutage},
	}
}

// serveSignOut serves SignOut at /sign-out.
func (e *env) serveSignOut(o core.Options) {
	e.Helper()
	g := Guard{SignOut: "/bye?for=now"}
	e.guard(g, "/sign-out", nil, "GET", "HEAD", "POST", "PUT", "DELETE")
	e.handleGet("/who", whoIs)
	e.serve(o)
}

// signOut sends a request to sign out.
func (b *browser) signOut() *answer {
	b.env.Helper()
	return b.do(b.request(b.env.Context(), http.MethodPost, "/sign-out"))
}

// wantSignedOut checks that the answer redirects.
func (e *env) wantSignedOut(a *answer) {
	e.Helper()
	if e.wantStatus(a, http.StatusSeeOther); a.field("Location") != "/bye?for=now" {
		e.Errorf("Location is %q", a.field("Location"))
	}
}

func signOut(e *env) {
	e.serveSignOut(core.Options{Lazy: true})
	b := e.newVisitor()
	e.wantCookie(b.get("/login"))
	a := b.signOut()
	e.wantSignedOut(a)
	e.wantRemoval(a)
	e.wantNoStore(a)
	e.wantSessions(0, 1)
	for _, b := range []*browser{b, e.newBrowser()} {
		a := b.signOut()
		e.wantSignedOut(a)
		e.wantNoCookie(a)
	}
	e.wantSessions(0, 1)
}

func signOutOtherMethods(e *env) {
	e.serveSignOut(core.Options{})
	b := e.newVisitor()
	e.wantCookie(b.get("/login"))
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		a := b.do(b.request(e.Context(), method, "/sign-out"))
		e.wantGuarded(a, http.StatusMethodNotAllowed, "Allow", "POST")
	}
	e.wantBody(b.get("/who"), "alice")
}

// signOutDoubleClick signs out twice with one cookie, while the first request is under way and
// after it.
func signOutDoubleClick(e *env) {
	e.serveSignOut(core.Options{})
	b := e.newVisitor()
	e.wantCookie(b.get("/login"))
	again := b.clone()
	e.wantRemoval(b.signOut())
	a := again.signOut()
	e.wantSignedOut(a)
	e.wantNoCookie(a)
	e.wantSessions(0, 1)
}

func signOutOutage(e *env) {
	e.serveSignOut(core.Options{Lazy: true})
	b := e.newVisitor()
	e.wantCookie(b.get("/login"))
	for _, op := range []string{"load", "save"} {
		e.store.fail(op, errDown)
		e.wantRefused(b.signOut(), http.StatusServiceUnavailable)
		e.store.fail(op, nil)
		e.wantBody(b.get("/who"), "alice")
	}
	e.wantSignedOut(b.signOut())
	e.wantBody(b.get("/who"), "")
}
