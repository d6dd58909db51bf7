package adaptertest

import (
	"errors"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
)

// browserCases returns the cases about what a browser ends up with that sends requests side by
// side, loses answers, and is sent on by other sites.
func browserCases() []testCase {
	return []testCase{
		{"R2/OvertakenWrite", ruleOvertaken, browserOvertaken},
		{"R2/DoubleLogin", ruleDouble, browserDoubleLogin},
		{"R2/LogoutAfterStepUp", ruleStepUp, browserLogoutAfterStepUp},
		{"X3/LostAnswer", ruleLost, browserLostAnswer},
		{"C6/SeveralTickets", ruleSeveral, browserSeveral},
		{"C11/CrossSite", ruleCrossSite, browserCrossSite},
		{"R1/RevokedMeanwhile", ruleRevoked, browserRevoked},
		{"R3/LoginFromBeforeARevocation", ruleRevokedAll, func(e *env) {
			browserRevokedAll(e, (*env).newBrowser)
		}},
		{"R3/LoginOfAVisitorFromBefore", ruleRevokedAll, func(e *env) {
			browserRevokedAll(e, (*env).newVisitor)
		}},
		{"R3/ActAs", ruleActAs, browserActsAs},
	}
}

// browserOvertaken writes with the token from before a login, from before the end of a session,
// and from before a step-up that has been delivered.
func browserOvertaken(e *env) {
	e.handleGet("/step-up", stepUp)
	e.serve(core.Options{})
	b := e.newVisitor()
	for _, next := range []string{"/login", "/step-up", "/logout"} {
		old := b.clone()
		e.wantStatus(b.get(next), http.StatusOK)
		e.wantStatus(b.get("/read"), http.StatusOK) // It presents the new token.
		for range 2 {
			a := old.get("/count")
			e.wantStatus(a, http.StatusOK)
			e.wantNoCookie(a)
			e.wantPrivate(a)
			a = old.get("/read")
			e.wantBody(a, "0")
			e.wantNoCookie(a)
		}
		if next != "/logout" {
			e.wantBody(b.get("/read"), "1")
			e.wantSessions(1, 0)
		}
	}
	e.wantSessions(0, 1)
}

// browserDoubleLogin submits a login twice, while the first is under way and after it.
func browserDoubleLogin(e *env) {
	held := e.hold(logIn)
	e.handleGet("/who", whoIs)
	e.serve(core.Options{MaxSessions: 1, OnLimit: core.RefuseLogin, Store: e.indexed()})
	first := e.newVisitor()
	late := first.clone()
	held.start(first)
	e.wantCookie(first.get("/login"))
	a := held.release()
	e.wantBody(a, "signed in")
	e.wantCookie(a)
	e.wantCookie(late.get("/login"))
	for _, b := range []*browser{first, held.browser, late} {
		e.wantBody(b.get("/who"), "alice")
		e.wantBody(b.get("/read"), "1")
		if idOf(b.token()) != idOf(first.token()) {
			e.Errorf("a double submit has started another session")
		}
	}
	e.wantSessions(1, 0)
}

// browserLogoutAfterStepUp signs out with the token from before a step-up, before and after the
// new token has come back.
func browserLogoutAfterStepUp(e *env) {
	e.handleGet("/step-up", stepUp)
	e.handleGet("/who", whoIs)
	e.serve(core.Options{})
	for n, delivered := range []bool{false, true} {
		b := e.newVisitor()
		e.wantCookie(b.get("/login"))
		old := b.clone()
		e.wantCookie(b.get("/step-up"))
		if delivered {
			e.wantBody(b.get("/who"), "alice")
		}
		a := old.get("/logout")
		e.wantBody(a, "signed out")
		e.wantRemoval(a)
		e.wantBody(b.get("/who"), "")
		e.wantSessions(0, n+1)
	}
}

func browserLostAnswer(e *env) {
	e.handleGet("/renew", func(c Context) error {
		if err := c.Get().Renew(); err != nil {
			return err
		}
		return c.Body(200, "renewed")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	lost := b.clone()
	e.wantCookie(lost.get("/renew"))
	for range 2 {
		again := b.clone()
		a := again.get("/read")
		e.wantBody(a, "1")
		e.wantCookie(a)
		if again.token() != lost.token() {
			e.Errorf("the browser was not told the token of the lost answer")
		}
	}
	a := b.get("/count")
	e.wantBody(a, "2")
	e.wantCookie(a)
	e.wantBody(b.get("/read"), "2")
	if b.token() != lost.token() {
		e.Errorf("the browser was not told the token of the lost answer")
	}
	e.wantSessions(1, 0)
}

func browserSeveral(e *env) {
	e.serve(core.Options{})
	one, two := e.newVisitor(), e.newVisitor()
	e.wantBody(two.get("/count"), "2")
	both := one.token() + "; session=" + two.token()
	b := e.newBrowser()
	b.cookies["session"] = both
	e.wantBody(b.get("/read"), "1")
	e.waitUntil("the event about several tickets", func() bool {
		return e.sawEvent(core.EventSeveral)
	})
	e.wantSessions(2, 0)
	e.wantRemoval(b.get("/logout"))
	e.wantSessions(0, 2)
	e.wantBody(one.get("/read"), "0")
	e.wantBody(two.get("/read"), "0")
}

// fetchFields returns the Fetch Metadata fields of a request.
func fetchFields(site, mode, dest string) []string {
	return []string{"Sec-Fetch-Site", site, "Sec-Fetch-Mode", mode, "Sec-Fetch-Dest", dest}
}

func browserCrossSite(e *env) {
	e.handle(http.MethodPost, "/count", countVisit)
	e.handle(http.MethodHead, "/counted", countVisit)
	e.handle(http.MethodPost, "/login", logIn)
	e.serve(core.Options{})
	send := func(method, target string, fields []string) *answer {
		b := e.newBrowser()
		a := b.do(b.request(e.Context(), method, target, fields...))
		e.wantStatus(a, http.StatusOK)
		return a
	}
	started := 0
	for _, tc := range []struct {
		method, target string
		fields         []string
		starts         bool
	}{
		// With SameSite=Lax the browser sends the cookie with links only.
		{http.MethodPost, "/count", fetchFields("cross-site", "navigate", "document"), false},
		{http.MethodGet, "/count", fetchFields("cross-site", "no-cors", "image"), false},
		{http.MethodGet, "/count", fetchFields("cross-site", "navigate", "iframe"), false},
		{http.MethodGet, "/count", fetchFields("cross-site", "navigate", "document"), true},
		{http.MethodHead, "/counted", fetchFields("cross-site", "navigate", "document"), true},
		{http.MethodPost, "/count", fetchFields("same-origin", "navigate", "document"), true},
		{http.MethodPost, "/count", fetchFields("same-origin", "cors", "empty"), true},
		{http.MethodPost, "/count", fetchFields("same-site", "navigate", "document"), true},
		{http.MethodPost, "/count", nil, true},
		{http.MethodGet, "/count", nil, true},
	} {
		a := send(tc.method, tc.target, tc.fields)
		if tc.method != http.MethodHead {
			e.wantBody(a, "1") // What is not saved lasts for the response.
		}
		if tc.starts {
			e.wantCookie(a)
			started++
		} else {
			e.wantNoCookie(a)
		}
		e.wantRecords(started)
	}
	e.waitUntil("the event about another site", func() bool {
		return e.sawEvent(core.EventCrossSite)
	})
	login := send(http.MethodPost, "/login", fetchFields("cross-site", "navigate", "document"))
	e.wantCookie(login)
	e.wantRecords(started + 1)
}

// browserRevoked revokes a session while its request signs in, and while it changes a value and
// asks for the commit.
func browserRevoked(e *env) {
	var m *core.Manager
	revoke := func(c Context) error { return m.RevokeByID(e.Context(), c.Get().ID()) }
	e.handleGet("/refused", func(c Context) error {
		if err := errors.Join(revoke(c), c.Get().Login("ann")); err != nil {
			return err
		}
		for name, value := range contentFields() {
			c.SetHeader(name, value)
		}
		return c.Body(http.StatusOK, handlerBody)
	})
	e.handleGet("/gone", func(c Context) error {
		if err := errors.Join(revoke(c), addVisit(c)); err != nil {
			return err
		}
		return c.Commit()
	})
	m = e.serve(core.Options{})
	e.wantRefused(e.newVisitor().get("/refused"), http.StatusConflict)
	a := e.newVisitor().get("/gone")
	e.wantStatus(a, http.StatusConflict)
	e.wantNoCookie(a)
	e.wantSessions(0, 2)
}

// browserRevokedAll revokes all sessions of a user while a request is under way that signs in as
// this user.
func browserRevokedAll(e *env, newBrowser func(*env) *browser) {
	held := e.hold(logIn)
	e.handleGet("/check", func(c Context) error {
		if err := c.Get().Check(e.Context()); err != nil {
			return err
		}
		return c.Body(http.StatusOK, "still there")
	})
	m := e.serve(core.Options{Store: e.indexed()})
	user := e.newVisitor()
	e.wantCookie(user.get("/login"))
	e.wantBody(user.get("/check"), "still there")
	held.start(newBrowser(e))
	if n, err := m.RevokeAll(e.Context(), "alice"); n != 1 || err != nil {
		e.Errorf("RevokeAll ended %d sessions, error %v", n, err)
	}
	e.wantRefused(held.release(), http.StatusConflict)
	if list, err := m.List(e.Context(), "alice"); len(list) != 0 || err != nil {
		e.Errorf("the user has %d sessions, error %v", len(list), err)
	}
	e.wantBody(user.get("/read"), "0")
	e.wantCookie(held.browser.get("/login")) // A new try is accepted.
}

// browserActsAs acts for another user, comes back, and acts again until its own session ends.
func browserActsAs(e *env) {
	e.handleGet("/act", func(c Context) error {
		if err := c.Get().ActAs(e.Context(), "bob"); err != nil {
			return err
		}
		return c.Body(http.StatusOK, c.Get().Subject())
	})
	e.handleGet("/stop", func(c Context) error {
		if err := c.Get().StopActing(e.Context()); err != nil {
			return c.Body(core.StatusCode(err), "")
		}
		return c.Body(http.StatusOK, c.Get().Subject())
	})
	e.handleGet("/who", func(c Context) error {
		return c.Body(http.StatusOK, c.Get().Subject()+" "+c.Get().Auth().Actor)
	})
	m := e.serve(core.Options{Store: e.indexed(), MaxSessions: 1})
	b := e.newVisitor()
	e.wantCookie(b.get("/login"))
	list, err := m.List(e.Context(), "alice")
	if err != nil || len(list) != 1 {
		e.Fatalf("the user has %d sessions, error %v", len(list), err)
	}
	for range 2 {
		a := b.get("/act")
		e.wantBody(a, "bob")
		e.wantCookie(a)
		e.wantBody(b.get("/who"), "bob alice")
		e.wantBody(b.get("/read"), "0")
		double := b.clone()
		for _, stop := range []*browser{b, double} {
			a = stop.get("/stop")
			e.wantBody(a, "alice")
			e.wantCookie(a)
		}
		e.wantBody(b.get("/who"), "alice ")
		e.wantBody(double.get("/read"), "1")
	}
	e.wantCookie(b.get("/act"))
	if err := m.RevokeByID(e.Context(), list[0].ID); err != nil {
		e.Errorf("RevokeByID: %v", err)
	}
	a := b.get("/who")
	e.wantBody(a, " ")
	e.wantNoCookie(a)
	a = b.get("/stop")
	e.wantStatus(a, http.StatusConflict)
	e.wantNoCookie(a)
}
