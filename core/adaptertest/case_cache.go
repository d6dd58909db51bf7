package adaptertest

import (
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

const (
	ruleCache    = "a response whose handler used the session is at least Cache-Control: private with Vary: Cookie; one that sets the cookie is no-store"
	ruleStricter = "what the application set more strictly stays, and what shared caches could use goes"
	ruleUnused   = "a response that does not depend on the session says nothing about caches"
)

// cacheCases is H1: what the response tells caches.
func cacheCases() []testCase {
	cases := []testCase{
		{"H1/Changed", ruleCache, cacheChanged},
		{"H1/Removed", ruleCache, cacheRemoved},
		{"H1/Refreshed", ruleCache, cacheRefreshed},
		{"H1/Stricter", ruleStricter, cacheStricter},
		{"H1/Unused", ruleUnused, cacheUnused},
	}
	for name, use := range accessors() {
		cases = append(cases, testCase{"H1/Accessor" + name, ruleCache, func(x *trial) { cacheAccessor(x, use) }})
	}
	for _, p := range paths() {
		if p.name != "Upgrade" {
			cases = append(cases, testCase{"H1/Path" + p.name, ruleCache, func(x *trial) { cachePath(x, &p) }})
		}
	}
	return cases
}

// accessors returns everything that a handler can look at.
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

// wantPrivate checks that shared caches keep away.
func (x *trial) wantPrivate(a *answer) {
	x.Helper()
	if !hasToken(a.field("Cache-Control"), "private") || !hasToken(a.field("Vary"), "Cookie") {
		x.broken("Cache-Control is %q and Vary %q, want private and Cookie", a.field("Cache-Control"), a.field("Vary"))
	}
}

// wantNoStore checks that no cache keeps the response.
func (x *trial) wantNoStore(a *answer) {
	x.Helper()
	if !hasToken(a.field("Cache-Control"), "no-store") {
		x.broken("Cache-Control is %q, want no-store", a.field("Cache-Control"))
	}
}

// hasToken reports whether a comma-separated field value holds the token.
func hasToken(value, token string) bool {
	for item := range strings.SplitSeq(value, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return true
		}
	}
	return false
}

func cacheAccessor(x *trial, use func(s *core.Session)) {
	x.get("/use", func(c Context) error {
		use(c.Get())
		return c.Body(200, "used")
	})
	x.serve(core.Options{})
	for _, b := range []*browser{x.browser(), x.visitor()} {
		a := b.get("/use")
		x.wantBody(a, "used")
		x.wantNoCookie(a)
		x.wantPrivate(a)
	}
}

func cachePath(x *trial, p *path) {
	p.mount(x, func(c Context) error {
		visits.Get(c.Get())
		return nil
	})
	x.serve(core.Options{})
	a := p.ask(x.visitor())
	x.wantStatus(a, p.status)
	x.wantNoCookie(a)
	x.wantPrivate(a)
}

func cacheChanged(x *trial) {
	x.serve(core.Options{})
	a := x.browser().get("/count")
	x.wantCookie(a)
	x.wantNoStore(a)
	if !hasToken(a.field("Vary"), "Cookie") {
		x.broken("Vary is %q, want Cookie", a.field("Vary"))
	}
}

func cacheRemoved(x *trial) {
	x.serve(core.Options{})
	a := x.visitor().get("/logout")
	if line := x.wantCookie(a); !strings.Contains(line, "Max-Age=0") {
		x.broken("Set-Cookie is %q, want a removal", line)
	}
	x.wantNoStore(a)
}

// cacheRefreshed waits a tenth of a short idle timeout, after which a mere visit sends the cookie again.
func cacheRefreshed(x *trial) {
	x.get("/plain", func(c Context) error { return c.Body(200, "plain") })
	x.serve(core.Options{Expiry: 12 * time.Second})
	b := x.visitor()
	x.wantNoCookie(b.get("/plain"))
	time.Sleep(1300 * time.Millisecond)
	a := b.get("/plain")
	x.wantCookie(a)
	x.wantNoStore(a)
}

func cacheStricter(x *trial) {
	x.get("/set", func(c Context) error {
		for _, name := range [...]string{"Cache-Control", "Vary"} {
			if value := c.Query(name); value != "" {
				c.SetHeader(name, value)
			}
		}
		visits.Get(c.Get())
		return c.Body(200, "set")
	})
	x.serve(core.Options{})
	b := x.visitor()
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
			x.broken("after %s: Cache-Control is %q and Vary %q, want %q and %q", test.query,
				a.field("Cache-Control"), a.field("Vary"), test.cacheControl, test.vary)
		}
	}
}

func cacheUnused(x *trial) {
	x.get("/plain", func(c Context) error {
		c.SetHeader("Cache-Control", "public, max-age=60")
		return c.Body(200, "plain")
	})
	x.get("/bare", func(c Context) error { return c.Body(200, "bare") })
	x.serve(core.Options{})
	for _, b := range []*browser{x.browser(), x.visitor()} {
		if a := b.get("/plain"); a.field("Cache-Control") != "public, max-age=60" || a.field("Vary") != "" {
			x.broken("Cache-Control is %q and Vary %q, want what the application set", a.field("Cache-Control"), a.field("Vary"))
		}
		if a := b.get("/bare"); a.field("Cache-Control") != "" || a.field("Vary") != "" || a.status != http.StatusOK {
			x.broken("Cache-Control is %q and Vary %q, want none", a.field("Cache-Control"), a.field("Vary"))
		}
	}
}
