package adaptertest

import (
	"net/http"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// cacheCases returns the cases H1, about what a response tells caches.
func cacheCases() []testCase {
	cases := []testCase{
		{"H1/Changed", ruleCache, cacheChanged},
		{"H1/Removed", ruleCache, cacheRemoved},
		{"H1/Refreshed", ruleCache, cacheRefreshed},
		{"H1/Stricter", ruleStricter, cacheStricter},
		{"H1/Unused", ruleUnused, cacheUnused},
	}
	for name, use := range accessors() {
		run := func(e *env) { cacheAccessor(e, use) }
		cases = append(cases, testCase{"H1/Accessor" + name, ruleCache, run})
	}
	for _, p := range paths() {
		if p.name != "Upgrade" {
			run := func(e *env) { cachePath(e, &p) }
			cases = append(cases, testCase{"H1/Path" + p.name, ruleCache, run})
		}
	}
	return cases
}

// accessors returns every way in which a handler can read the session.
func accessors() map[string]func(s *core.Session) {
	return map[string]func(s *core.Session){
		"ID":       func(s *core.Session) { _ = s.ID() },
		"IsNew":    func(s *core.Session) { _ = s.IsNew() },
		"Subject":  func(s *core.Session) { _ = s.Subject() },
		"Created":  func(s *core.Session) { _ = s.Created() },
		"LastSeen": func(s *core.Session) { _ = s.LastSeen() },
		"Expires":  func(s *core.Session) { _ = s.Expires() },
		"Keys":     func(s *core.Session) { _ = s.Keys() },
		"Len":      func(s *core.Session) { _ = s.Len() },
		"Value":    func(s *core.Session) { s.Get("visits", new(int)) },
		"Key":      func(s *core.Session) { visits.Get(s) },
	}
}

func cacheAccessor(e *env, use func(s *core.Session)) {
	e.handleGet("/use", func(c Context) error {
		use(c.Get())
		return c.Body(200, "used")
	})
	e.serve(core.Options{})
	for _, b := range []*browser{e.newBrowser(), e.newVisitor()} {
		a := b.get("/use")
		e.wantBody(a, "used")
		e.wantNoCookie(a)
		e.wantPrivate(a)
	}
}

func cachePath(e *env, p *path) {
	p.addRoute(e, func(c Context) error {
		visits.Get(c.Get())
		return nil
	})
	e.serve(core.Options{})
	a := p.visit(e.newVisitor())
	e.wantStatus(a, p.status)
	e.wantNoCookie(a)
	e.wantPrivate(a)
}

func cacheChanged(e *env) {
	e.serve(core.Options{})
	a := e.newBrowser().get("/count")
	e.wantCookie(a)
	e.wantNoStore(a)
	if !hasToken(a.field("Vary"), "Cookie") {
		e.Errorf("Vary is %q, want Cookie", a.field("Vary"))
	}
}

func cacheRemoved(e *env) {
	e.serve(core.Options{})
	a := e.newVisitor().get("/logout")
	e.wantRemoval(a)
	e.wantNoStore(a)
}

// cacheRefreshed waits for a tenth of a short idle timeout. After that any request sends the
// cookie again.
func cacheRefreshed(e *env) {
	e.handleGet("/plain", func(c Context) error { return c.Body(200, "plain") })
	e.serve(core.Options{Expiry: 12 * time.Second})
	b := e.newVisitor()
	e.wantNoCookie(b.get("/plain"))
	time.Sleep(1300 * time.Millisecond)
	a := b.get("/plain")
	e.wantCookie(a)
	e.wantNoStore(a)
}

func cacheStricter(e *env) {
	e.handleGet("/set", func(c Context) error {
		for _, name := range [...]string{"Cache-Control", "Vary"} {
			if value := c.Query(name); value != "" {
				c.SetHeader(name, value)
			}
		}
		visits.Get(c.Get())
		return c.Body(200, "set")
	})
	e.serve(core.Options{})
	b := e.newVisitor()
	for _, test := range [...]struct{ query, cacheControl, vary string }{
		{"Cache-Control=no-store", "no-store", "Cookie"},
		{"Cache-Control=private,max-age=60", "private,max-age=60", "Cookie"},
		{"Cache-Control=public,max-age=60", "private, max-age=60", "Cookie"},
		{"Cache-Control=s-maxage=60", "private", "Cookie"},
		{"Cache-Control=no-cache", "private, no-cache", "Cookie"},
		{"Vary=*", "private", "*"},
		{"Vary=Accept-Encoding", "private", "Accept-Encoding, Cookie"},
		{"Vary=cookie", "private", "cookie"},
	} {
		a := b.get("/set?" + test.query)
		if a.field("Cache-Control") != test.cacheControl || a.field("Vary") != test.vary {
			e.Errorf("with %s, Cache-Control is %q and Vary %q, want %q and %q", test.query,
				a.field("Cache-Control"), a.field("Vary"), test.cacheControl, test.vary)
		}
	}
}

func cacheUnused(e *env) {
	e.handleGet("/plain", func(c Context) error {
		c.SetHeader("Cache-Control", "public, max-age=60")
		return c.Body(200, "plain")
	})
	e.handleGet("/bare", func(c Context) error { return c.Body(200, "bare") })
	e.serve(core.Options{})
	for _, b := range []*browser{e.newBrowser(), e.newVisitor()} {
		e.wantCaching(b.get("/plain"), "public, max-age=60")
		a := b.get("/bare")
		e.wantCaching(a, "")
		e.wantStatus(a, http.StatusOK)
	}
}

// wantCaching checks Cache-Control, and checks that there is no Vary.
func (e *env) wantCaching(a *answer, cacheControl string) {
	e.Helper()
	if a.field("Cache-Control") != cacheControl || a.field("Vary") != "" {
		e.Errorf("Cache-Control is %q and Vary %q, want the application's %q and no Vary",
			a.field("Cache-Control"), a.field("Vary"), cacheControl)
	}
}
