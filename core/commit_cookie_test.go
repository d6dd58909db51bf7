package core

import (
	"cmp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom-go/sessions/core/adapter"
)

// createdCookie returns the Set-Cookie value of a new session, with its token replaced by
// TOKEN.
func createdCookie(t *testing.T, o Options) string {
	t.Helper()
	c := newClient(t, newTestManager(t, o))
	reply := c.request(set(t, 1))
	tk := c.ticket()
	return strings.Replace(reply.SetCookie, textOf(&tk), "TOKEN", 1)
}

// removedCookie returns the Set-Cookie value of a response that ends a session.
func removedCookie(t *testing.T, o Options) string {
	t.Helper()
	c := newClient(t, newTestManager(t, o))
	c.request(set(t, 1))
	return c.request((*Session).Destroy).SetCookie
}

const removalAttributes = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

func TestC1ExactBytes(t *testing.T) {
	t.Parallel()
	const month = "; Max-Age=2592000"
	for name, tc := range map[string]struct {
		cookie Cookie
		scope  string // between the token and the lifetime
		life   string
		flags  string // after the lifetime
	}{
		"zero value":         {Cookie{}, "; Path=/", month, "; HttpOnly; Secure; SameSite=Lax"},
		"path":               {Cookie{Path: "/app"}, "; Path=/app", month, "; HttpOnly; Secure; SameSite=Lax"},
		"domain":             {Cookie{Domain: "example.com"}, "; Path=/; Domain=example.com", month, "; HttpOnly; Secure; SameSite=Lax"},
		"leading dot":        {Cookie{Domain: ".example.com"}, "; Path=/; Domain=example.com", month, "; HttpOnly; Secure; SameSite=Lax"},
		"upper case domain":  {Cookie{Domain: ".Example.COM"}, "; Path=/; Domain=example.com", month, "; HttpOnly; Secure; SameSite=Lax"},
		"session only":       {Cookie{SessionOnly: true}, "; Path=/", "", "; HttpOnly; Secure; SameSite=Lax"},
		"script access":      {Cookie{DisableHTTPOnly: true}, "; Path=/", month, "; Secure; SameSite=Lax"},
		"insecure":           {Cookie{DisableSecure: true}, "; Path=/", month, "; HttpOnly; SameSite=Lax"},
		"strict":             {Cookie{SameSite: SameSiteStrict}, "; Path=/", month, "; HttpOnly; Secure; SameSite=Strict"},
		"none":               {Cookie{SameSite: SameSiteNone}, "; Path=/", month, "; HttpOnly; Secure; SameSite=None"},
		"unset":              {Cookie{SameSite: SameSiteUnset}, "; Path=/", month, "; HttpOnly; Secure"},
		"partitioned":        {Cookie{Partitioned: true}, "; Path=/", month, "; HttpOnly; Secure; SameSite=Lax; Partitioned"},
		"bare":               {Cookie{DisableHTTPOnly: true, DisableSecure: true, SameSite: SameSiteUnset, SessionOnly: true}, "; Path=/", "", ""},
		"name with a prefix": {Cookie{Name: "__Host-id"}, "; Path=/", month, "; HttpOnly; Secure; SameSite=Lax"},
		"everything": {
			Cookie{Name: "everything", Domain: "a.example.com", Path: "/x", SameSite: SameSiteNone, Partitioned: true},
			"; Path=/x; Domain=a.example.com", month, "; HttpOnly; Secure; SameSite=None; Partitioned",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cookieName := cmp.Or(tc.cookie.Name, "session")
			equal(t, "Set-Cookie", createdCookie(t, Options{Cookie: tc.cookie}), cookieName+"=TOKEN"+tc.scope+tc.life+tc.flags)
			// C4 and C8: the removal has the same attributes and an end in the past, even if
			// SessionOnly is set.
			equal(t, "deletion", removedCookie(t, Options{Cookie: tc.cookie}), cookieName+"="+tc.scope+removalAttributes+tc.flags)
		})
	}
}

// C1: all combinations of the switches, because one could hide another.
func TestC1EveryCombination(t *testing.T) {
	t.Parallel()
	for bits := range 1 << 6 {
		on := func(bit int) bool { return bits&(1<<bit) != 0 }
		c := Cookie{
			SessionOnly: on(0), DisableHTTPOnly: on(1), DisableSecure: on(2) && !on(3), Partitioned: on(3),
			SameSite: [...]SameSite{SameSiteLax, SameSiteStrict}[bits>>4&1],
		}
		wanted := "session=TOKEN; Path=/"
		add := func(when bool, text string) {
			if when {
				wanted += text
			}
		}
		add(on(5), "; Domain=example.com")
		if on(5) {
			c.Domain = ".example.com"
		}
		add(!on(0), "; Max-Age=2592000")
		add(!on(1), "; HttpOnly")
		add(!c.DisableSecure, "; Secure")
		add(!on(4), "; SameSite=Lax")
		add(on(4), "; SameSite=Strict")
		add(on(3), "; Partitioned")
		equal(t, "Set-Cookie", createdCookie(t, Options{Cookie: c}), wanted)
	}
}

// The worked examples of the documentation: the cookie, the store key, and the expiry of the
// record.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options Options
		prefix  string
		cookie  string
		deleted string
		life    time.Duration // 0: never expires
	}{
		"permanent for a domain and its scripts": {
			Options{Prefix: "sessionprefix:", Expiry: Permanent, Cookie: Cookie{Name: "cookie", Domain: ".example.com", DisableHTTPOnly: true}},
			"sessionprefix:",
			"cookie=TOKEN; Path=/; Domain=example.com; Max-Age=34560000; Secure; SameSite=Lax",
			"cookie=; Path=/; Domain=example.com" + removalAttributes + "; Secure; SameSite=Lax",
			0,
		},
		"an hour and no longer than the browser": {
			Options{Prefix: "session:", Expiry: 3600 * time.Second, Cookie: Cookie{Name: "myapp", Domain: ".example.com", SessionOnly: true}},
			"session:",
			"myapp=TOKEN; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
			"myapp=; Path=/; Domain=example.com" + removalAttributes + "; HttpOnly; Secure; SameSite=Lax",
			time.Hour,
		},
		"no options": {
			Options{},
			"session:",
			"session=TOKEN; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
			"session=; Path=/" + removalAttributes + "; HttpOnly; Secure; SameSite=Lax",
			2592000 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				equal(t, "Set-Cookie", createdCookie(t, tc.options), tc.cookie)
				equal(t, "deletion", removedCookie(t, tc.options), tc.deleted)
				store := newTouchSpy()
				tc.options.Store = store
				c := newClient(t, newTestManager(t, tc.options))
				c.request(set(t, 1))
				rec := store.stored(t, tc.prefix+c.id())
				wanted := time.Time{}
				if tc.life > 0 {
					wanted = time.Now().Add(tc.life)
				}
				if !rec.Expires.Equal(wanted) {
					t.Errorf("the record expires at %v, want %v", rec.Expires, wanted)
				}
			})
		})
	}
}

// C7: the longest cookie that the options allow is within the limits of browsers: 4096 bytes
// for name and value, and 1024 for an attribute.
func TestC7LongestCookie(t *testing.T) {
	t.Parallel()
	longest := Cookie{
		Name: strings.Repeat("n", 256), Path: "/" + strings.Repeat("p", 1023), SameSite: SameSiteStrict, Partitioned: true,
		Domain: strings.Repeat(strings.Repeat("d", 62)+".", 3) + strings.Repeat("d", 63),
	}
	c := newClient(t, newTestManager(t, Options{Expiry: Permanent, Cookie: longest}))
	reply := c.request(set(t, 1))
	equal(t, "name and value", len(c.cookie), 256+1+64)
	if n := len(reply.SetCookie); n > 4096 {
		t.Errorf("the longest cookie takes %d bytes", n)
	}
	for field, c := range map[string]Cookie{
		"Cookie.Name":   {Name: longest.Name + "n"},
		"Cookie.Path":   {Path: longest.Path + "p"},
		"Cookie.Domain": {Domain: longest.Domain + ".d"},
	} {
		wantRefused(t, Options{Cookie: c}, field)
	}
}

func TestC8SessionOnlyHasNoMaxAge(t *testing.T) {
	t.Parallel()
	for _, expiry := range []time.Duration{0, time.Second, Permanent, 1000 * 24 * time.Hour} {
		o := Options{Expiry: expiry, Cookie: Cookie{SessionOnly: true}}
		if got := createdCookie(t, o); strings.Contains(got, "Max-Age") || strings.Contains(got, "Expires") {
			t.Errorf("Expiry %v: %s", expiry, got)
		}
		equal(t, "deletion", removedCookie(t, o), "session=; Path=/"+removalAttributes+"; HttpOnly; Secure; SameSite=Lax")
	}
}

// C8: Max-Age is the time that the session has left, rounded up, so that the browser never
// drops a cookie that the server accepts.
func TestC8MaxAgeUnderALifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestManager(t, Options{Expiry: time.Hour, Lifetime: 90 * time.Minute})
		c := newClient(t, m)
		age := func(r adapter.Reply) string {
			_, rest, _ := strings.Cut(r.SetCookie, "Max-Age=")
			seconds, _, _ := strings.Cut(rest, ";")
			return seconds
		}
		equal(t, "at first", age(c.request(set(t, 1))), "3600")
		time.Sleep(45*time.Minute + 300*time.Millisecond)
		equal(t, "after 45 minutes and a bit", age(c.request(read)), "2700") // 2699.7 seconds are left of the 90 minutes
	})
}

// C8: a server whose clock is ahead stores a session with the longest timeout there is, and
// another sends its cookie again.
func TestC8LongestExpiryOnTwoClocks(t *testing.T) {
	t.Parallel()
	o, cookie := Options{Store: newSpy(), Expiry: 1<<63 - 1}, ""
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Second)
		c := newClient(t, newTestManager(t, o))
		c.request(set(t, 1))
		cookie = c.cookie
	})
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newTestManager(t, o))
		c.cookie = cookie
		if got := c.request(renew).SetCookie; !strings.Contains(got, "; Max-Age=34560000;") {
			t.Errorf("Set-Cookie is %q", got)
		}
	})
}

// A response may set the cookie without a use of the session: after a renewal by another request. It must not be stored
// by a cache, even if the application makes it public after an explicit commit.
func TestH1CookieOfAnUnusedSession(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.request(set(t, 1))
	former := c.clone()
	c.request(renew)
	s := former.load()
	early, err := s.commit(t.Context())
	want(t, err, nil)
	header := map[string][]string{}
	early.Apply(header)
	equal(t, "Set-Cookie fields", len(header["Set-Cookie"]), 1)
	header["Cache-Control"] = []string{"public, max-age=60"}
	last, err := s.finish(t.Context())
	want(t, err, nil)
	last.Apply(header)
	equal(t, "Cache-Control", header["Cache-Control"][0], "no-store")
}
