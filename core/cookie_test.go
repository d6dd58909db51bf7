package core

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/cloakroom-go/sessions/core/adapter"
	"github.com/cloakroom-go/sessions/core/internal/cookie"
	"github.com/cloakroom-go/sessions/core/internal/ticket"
)

// begun returns the Set-Cookie of a new session's first response, with its token replaced by TOKEN.
func begun(t *testing.T, o Options) string {
	t.Helper()
	c := newClient(t, newTestManager(t, o))
	reply := c.visit(set(t, 1))
	tk := c.ticketOf()
	return strings.Replace(reply.SetCookie, textOf(&tk), "TOKEN", 1)
}

// ended returns the Set-Cookie of the response that ends a session.
func ended(t *testing.T, o Options) string {
	t.Helper()
	c := newClient(t, newTestManager(t, o))
	c.visit(set(t, 1))
	return c.visit((*Session).Destroy).SetCookie
}

const gone = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

func TestC1ExactBytes(t *testing.T) {
	t.Parallel()
	const month = "; Max-Age=2592000"
	for name, tc := range map[string]struct {
		cookie Cookie
		scope  string // between the token and the lifetime
		life   string
		flags  string // behind the lifetime
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
			equal(t, "Set-Cookie", begun(t, Options{Cookie: tc.cookie}), cookieName+"=TOKEN"+tc.scope+tc.life+tc.flags)
			// C4 and C8: the deletion has what tells cookies apart, and an end in the past even for SessionOnly.
			equal(t, "deletion", ended(t, Options{Cookie: tc.cookie}), cookieName+"="+tc.scope+gone+tc.flags)
		})
	}
}

// Every combination of the switches, so that no two of them hide each other.
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
		equal(t, "Set-Cookie", begun(t, Options{Cookie: c}), wanted)
	}
}

// The three worked examples: the cookie's text, the key in the store and the record's expiry.
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
			"cookie=; Path=/; Domain=example.com" + gone + "; Secure; SameSite=Lax",
			0,
		},
		"an hour and no longer than the browser": {
			Options{Prefix: "session:", Expiry: 3600 * time.Second, Cookie: Cookie{Name: "myapp", Domain: ".example.com", SessionOnly: true}},
			"session:",
			"myapp=TOKEN; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax",
			"myapp=; Path=/; Domain=example.com" + gone + "; HttpOnly; Secure; SameSite=Lax",
			time.Hour,
		},
		"no options": {
			Options{},
			"session:",
			"session=TOKEN; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
			"session=; Path=/" + gone + "; HttpOnly; Secure; SameSite=Lax",
			2592000 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				equal(t, "Set-Cookie", begun(t, tc.options), tc.cookie)
				equal(t, "deletion", ended(t, tc.options), tc.deleted)
				store := newTouchSpy()
				tc.options.Store = store
				c := newClient(t, newTestManager(t, tc.options))
				c.visit(set(t, 1))
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

// The third example's store: without one in the options there is a bounded one in memory, of the manager's own.
func TestDefaultStoreIsPrivate(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{}))
	c.visit(set(t, 7))
	c.visit(func(s *Session) { equal(t, "visits", visits.Get(s), 7) })
	c.m = newTestManager(t, Options{})
	c.visit(func(s *Session) { equal(t, "is new elsewhere", s.IsNew(), true) })
}

func TestC2Injection(t *testing.T) {
	t.Parallel()
	attacks := []string{
		"; Secure", ";", "a;b", "a\r\nSet-Cookie: x=y", "a\nb", "a\rb", "\x00", "a\x00b", "\x7f", "\x1f", "\t", "\u00e9",
		"\u2028", "a\xffb", "a, b;c",
	}
	for _, attack := range attacks {
		for field, o := range map[string]Options{
			"Cookie.Name":   {Cookie: Cookie{Name: attack}},
			"Cookie.Domain": {Cookie: Cookie{Domain: "example.com" + attack}},
			"Cookie.Path":   {Cookie: Cookie{Path: "/" + attack}},
			"Prefix":        {Prefix: "p" + attack},
		} {
			if field == "Prefix" && strings.Trim(attack, "ab;") == "" {
				continue // a key may hold it
			}
			refused(t, o, field)
		}
	}
	for _, name := range []string{"a b", "a=b", "a,b", `a"b`, "a(b", "a[b", "a{b", "a@b", "a:b", "a/b", `a\b`, "a?b", " a", "a<b", strings.Repeat("a", 257)} {
		refused(t, Options{Cookie: Cookie{Name: name}}, "Cookie.Name")
	}
}

// refused fails the test unless the options are an error of one printable line that begins in our name and says the field.
func refused(t *testing.T, o Options, field string) {
	t.Helper()
	m, err := NewManager(o)
	if err == nil || m != nil {
		t.Errorf("%s: accepted %+v", field, o.Cookie)
		return
	}
	text := err.Error()
	if !strings.HasPrefix(text, "sessions: ") || !strings.Contains(text, field) || len(text) < len("sessions: ")+len(field)+10 {
		t.Errorf("%s: the error says %q", field, text)
	}
	if strings.ContainsAny(text, "\r\x00\x7f\x1f") || strings.Contains(text, "\nSet-Cookie") || !utf8.ValidString(text) {
		t.Errorf("%s: the error repeats the attack: %q", field, text)
	}
}

func TestC3NamePrefixes(t *testing.T) {
	t.Parallel()
	for _, c := range []Cookie{
		{Name: "__Host-s", DisableSecure: true},
		{Name: "__Host-s", Domain: "example.com"},
		{Name: "__Host-s", Path: "/app"},
		{Name: "__hOsT-s", Path: "/app"},
		{Name: "__Secure-s", DisableSecure: true},
		{Name: "__SECURE-s", DisableSecure: true},
		{Name: "__Http-s", DisableSecure: true},
		{Name: "__Http-s", DisableHTTPOnly: true},
		{Name: "__Host-Http-s", DisableHTTPOnly: true},
		{Name: "__Host-Http-s", Domain: "example.com"},
		{Name: "__Host-Http-s", Path: "/app"},
		{Name: "__host-http-s", DisableSecure: true},
	} {
		refused(t, Options{Cookie: c}, c.Name)
	}
	for _, c := range []Cookie{
		{Name: "__Host-s"},
		{Name: "__Host-s", DisableHTTPOnly: true},
		{Name: "__Secure-s", Domain: "example.com", Path: "/app", DisableHTTPOnly: true},
		{Name: "__Http-s", Domain: "example.com", Path: "/app"},
		{Name: "__Host-Http-s"},
		{Name: "Host-s", DisableSecure: true},
	} {
		if _, err := NewManager(Options{Cookie: c}); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// The longest cookie that the options allow stays within the 4096 bytes of name and value, and 1024 per attribute, that
// browsers take.
func TestC7Size(t *testing.T) {
	t.Parallel()
	longest := Cookie{
		Name: strings.Repeat("n", 256), Path: "/" + strings.Repeat("p", 1023), SameSite: SameSiteStrict, Partitioned: true,
		Domain: strings.Repeat(strings.Repeat("d", 62)+".", 3) + strings.Repeat("d", 63),
	}
	c := newClient(t, newTestManager(t, Options{Expiry: Permanent, Cookie: longest}))
	reply := c.visit(set(t, 1))
	equal(t, "name and value", len(c.cookie), 256+1+64)
	if n := len(reply.SetCookie); n > 4096 {
		t.Errorf("the longest cookie takes %d bytes", n)
	}
	for field, c := range map[string]Cookie{
		"Cookie.Name":   {Name: longest.Name + "n"},
		"Cookie.Path":   {Path: longest.Path + "p"},
		"Cookie.Domain": {Domain: longest.Domain + ".d"},
	} {
		refused(t, Options{Cookie: c}, field)
	}
}

func TestC8MaxAge(t *testing.T) {
	t.Parallel()
	w := cookie.NewWriter(&cookie.Attributes{Name: "n", Path: "/"})
	const day = 24 * time.Hour
	for _, tc := range []struct {
		left   time.Duration
		wanted string
	}{
		{0, "0"},
		{1, "1"},
		{time.Second, "1"},
		{time.Second + 1, "2"},
		{time.Hour - time.Millisecond, "3600"},
		{400 * day, "34560000"},
		{400*day + 1, "34560000"},
		{400*day - 1, "34560000"},
		{400*day - time.Second, "34559999"},
		{1<<63 - 1, "34560000"},
	} {
		equal(t, "cookie for "+tc.left.String(), w.Set(new(ticket.Ticket), tc.left), "n="+textOf(new(ticket.Ticket))+"; Path=/; Max-Age="+tc.wanted)
	}
}

func TestC8SessionOnlyHasNoLife(t *testing.T) {
	t.Parallel()
	for _, expiry := range []time.Duration{0, time.Second, Permanent, 1000 * 24 * time.Hour} {
		o := Options{Expiry: expiry, Cookie: Cookie{SessionOnly: true}}
		if got := begun(t, o); strings.Contains(got, "Max-Age") || strings.Contains(got, "Expires") {
			t.Errorf("Expiry %v: %s", expiry, got)
		}
		equal(t, "deletion", ended(t, o), "session=; Path=/"+gone+"; HttpOnly; Secure; SameSite=Lax")
	}
}

// Max-Age is what is left of the session, rounded up: never less than the server would accept.
func TestC8MaxAgeOfALimitedLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTestManager(t, Options{Expiry: time.Hour, Lifetime: 90 * time.Minute})
		c := newClient(t, m)
		age := func(r adapter.Reply) string {
			_, rest, _ := strings.Cut(r.SetCookie, "Max-Age=")
			seconds, _, _ := strings.Cut(rest, ";")
			return seconds
		}
		equal(t, "at first", age(c.visit(set(t, 1))), "3600")
		time.Sleep(45*time.Minute + 300*time.Millisecond)
		equal(t, "after 45 minutes and a bit", age(c.visit(read)), "2700") // 2699.7 seconds are left of the 90 minutes
	})
}

// TestC8LongestExpiryTwoClocks has a server whose clock is ahead store a session for as long as can be said, and another
// hand out its cookie again.
func TestC8LongestExpiryTwoClocks(t *testing.T) {
	t.Parallel()
	o, cookie := Options{Store: newSpy(), Expiry: 1<<63 - 1}, ""
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Second)
		c := newClient(t, newTestManager(t, o))
		c.visit(set(t, 1))
		cookie = c.cookie
	})
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, newTestManager(t, o))
		c.cookie = cookie
		if got := c.visit(renew).SetCookie; !strings.Contains(got, "; Max-Age=34560000;") {
			t.Errorf("Set-Cookie is %q", got)
		}
	})
}

func TestC6Duplicates(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	mine := newClient(t, m)
	mine.visit(set(t, 5))
	decoys := make([]string, 6)
	for i := range decoys {
		tk := newTestTicket(t, m)
		decoys[i] = "session=" + textOf(&tk)
	}
	for name, tc := range map[string]struct {
		field  string
		visits int
		loads  int
	}{
		"alone":                   {mine.cookie, 5, 1},
		"after one":               {decoys[0] + "; " + mine.cookie, 5, 2},
		"before one":              {mine.cookie + "; " + decoys[0], 5, 1},
		"after three":             {strings.Join(decoys[:3], "; ") + "; " + mine.cookie, 5, 4},
		"after four":              {strings.Join(decoys[:4], "; ") + "; " + mine.cookie, 0, 4},
		"six that are unknown":    {strings.Join(decoys, "; "), 0, 4},
		"one decoy ten times":     {strings.Repeat(decoys[0]+"; ", 10) + mine.cookie, 5, 2},
		"malformed ones are free": {strings.Repeat("session=x; ", 100) + mine.cookie, 5, 1},
		"other names in between":  {"a=b; " + decoys[0] + "; session2=" + decoys[1][8:] + "; " + mine.cookie, 5, 2},
		"same id, another secret": {"session=" + sameID(mine) + "; " + mine.cookie, 5, 2},
		"in two fields' worth":    {decoys[0] + ";" + mine.cookie, 5, 2},
	} {
		store.forget()
		s := present(t, m, tc.field)
		equal(t, name+": visits", visits.Get(s), tc.visits)
		equal(t, name+": loads", store.count("load"), tc.loads)
	}
	store.forget()
	s := attach(m, decoys[0], "", "x=y", mine.cookie)
	want(t, s.load(t.Context()), nil)
	equal(t, "visits from the fourth field", visits.Get(s), 5)
}

// sameID returns a token for the client's id with another secret.
func sameID(c *client) string {
	tk := c.ticketOf()
	tk.Secret[0] ^= 1
	return textOf(&tk)
}

// A store that fails on one of several tickets is an outage: the visitor might be anybody.
func TestC6OutageOnADuplicate(t *testing.T) {
	t.Parallel()
	store := newSpy()
	m := newTestManager(t, Options{Store: store})
	mine := newClient(t, m)
	mine.visit(set(t, 5))
	decoy := newTestTicket(t, m)
	store.hook(func(_ context.Context, _, k string) error {
		if k == m.keyspace.key(decoy.ID) {
			return errDown
		}
		return nil
	})
	s := attach(m, "session="+textOf(&decoy)+"; "+mine.cookie)
	want(t, s.load(t.Context()), ErrStore)
}
