package core

import (
	"strings"
	"testing"
	"time"
)

func TestValidateTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		field string
		o     Options
	}{
		{"Expiry", Options{Expiry: -2}},
		{"Expiry", Options{Expiry: -time.Hour}},
		{"Expiry", Options{Expiry: 3600}}, // the unit was forgotten
		{"Expiry", Options{Expiry: 1}},
		{"Expiry", Options{Expiry: time.Second - 1}},
		{"Lifetime", Options{Lifetime: -1}},
		{"Lifetime", Options{Lifetime: 3600}}, // and not Expiry, which nobody set
		{"Grace", Options{Grace: 30}},
		{"Lifetime", Options{Lifetime: -time.Hour}},
		{"Lifetime", Options{Expiry: time.Hour, Lifetime: 3600}},
		{"Lifetime", Options{Expiry: time.Hour, Lifetime: time.Hour - 1}},
		{"Lifetime", Options{Expiry: DefaultExpiry, Lifetime: time.Hour}}, // set, though to the default
		{"Lifetime", Options{Expiry: Permanent, Lifetime: time.Hour}},
		{"Grace", Options{Grace: -2}},
		{"StoreTimeout", Options{StoreTimeout: -1}},
		{"StoreTimeout", Options{StoreTimeout: 5}},
		{"MaxSize", Options{MaxSize: -1}},
		{"MaxSize", Options{MaxSize: largestMaxSize + 1}},
		{"PurgeInterval", Options{PurgeInterval: 300}}, // the unit was forgotten
		{"PurgeInterval", Options{PurgeInterval: time.Second - 1}},
	} {
		refused(t, tc.o, tc.field)
	}
	for _, o := range []Options{
		{Expiry: time.Second},
		{Expiry: time.Hour, Lifetime: time.Hour},
		{Lifetime: time.Hour}, // caps the default Expiry
		{Expiry: Permanent},
		{Expiry: 1<<63 - 1},
		{Lifetime: 1<<63 - 1},
	} {
		if _, err := NewManager(o); err != nil {
			t.Errorf("Expiry %v, Lifetime %v: %v", o.Expiry, o.Lifetime, err)
		}
	}
}

func TestValidatePrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{" ", "a b", "a\n", "\x00", "a\x7f", "é", "\t", strings.Repeat("p", 201)} {
		refused(t, Options{Prefix: prefix}, "Prefix")
	}
	for _, prefix := range []string{"a", "a:b:", "*", "{tag}", strings.Repeat("p", 200)} {
		if _, err := NewManager(Options{Prefix: prefix}); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestValidateDomain(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{
		"localhost", "com", ".com", ".", "..", "...", "..example.com", "example..com", "example.com.", "127.0.0.1", ".127.0.0.1",
		"::1", "[::1]", "example.com:8080", "https://example.com", "//example.com", "example.com/", "example.com/path",
		"user@example.com", "*.example.com", "example,com", "exa mple.com", " example.com", "example.com ", "-a.example.com",
		"a-.example.com", "münchen.de", strings.Repeat("a", 64) + ".com", "a." + strings.Repeat("b.", 130) + "com", "1.2", "example.123",
	} {
		refused(t, Options{Cookie: Cookie{Domain: domain}}, "Cookie.Domain")
	}
	for _, domain := range []string{"example.com", ".example.com", "a.b.c.example.com", "xn--mnchen-3ya.de", "EXAMPLE.com", "3com.com", "my_host.example.com"} {
		if _, err := NewManager(Options{Cookie: Cookie{Domain: domain}}); err != nil {
			t.Errorf("%q: %v", domain, err)
		}
	}
}

func TestValidatePathAndSameSite(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"app", "./", "a/b", "?", "/a;b", "/a\nb", "/é", "/" + strings.Repeat("p", 1024)} {
		refused(t, Options{Cookie: Cookie{Path: path}}, "Cookie.Path")
	}
	refused(t, Options{Cookie: Cookie{SameSite: SameSiteUnset + 1}}, "SameSite")
	refused(t, Options{Cookie: Cookie{SameSite: SameSiteNone, DisableSecure: true}}, "SameSite=None")
	refused(t, Options{Cookie: Cookie{Partitioned: true, DisableSecure: true}}, "Partitioned")
	equal(t, "attribute of an unknown SameSite", (SameSiteUnset + 1).value(), "")
}

// All that is wrong is said at once.
func TestValidateSaysEverything(t *testing.T) {
	t.Parallel()
	_, err := NewManager(Options{Prefix: " ", Expiry: -5, Grace: -2, Cookie: Cookie{Name: ";", Domain: "x", Path: "y", SameSite: 9}})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	equal(t, "sentences", len(lines), 7)
	for _, line := range lines {
		if !strings.HasPrefix(line, "sessions: ") {
			t.Errorf("%q does not begin in our name", line)
		}
	}
}

func TestManagerFacts(t *testing.T) {
	t.Parallel()
	m := newTestManager(t, Options{Lazy: true, Cookie: Cookie{Name: "n"}})
	equal(t, "CookieName", m.CookieName(), "n")
	equal(t, "Lazy", m.Lazy(), true)
}

// What was made for the default Expiry under a shorter Lifetime ends with the Lifetime.
func TestDefaultExpiryIsCapped(t *testing.T) {
	t.Parallel()
	c := newClient(t, newTestManager(t, Options{Lifetime: time.Hour}))
	if got := c.visit(set(t, 1)).SetCookie; !strings.Contains(got, "; Max-Age=3600;") {
		t.Errorf("Set-Cookie is %q, want an hour", got)
	}
}
