package core

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// wantRefused fails the test unless the options are refused, with an error of one printable
// line that names the field.
func wantRefused(t *testing.T, o Options, field string) {
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
				continue // A key may contain it.
			}
			wantRefused(t, o, field)
		}
	}
	for _, name := range []string{"a b", "a=b", "a,b", `a"b`, "a(b", "a[b", "a{b", "a@b", "a:b", "a/b", `a\b`, "a?b", " a", "a<b", strings.Repeat("a", 257)} {
		wantRefused(t, Options{Cookie: Cookie{Name: name}}, "Cookie.Name")
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
		wantRefused(t, Options{Cookie: c}, c.Name)
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

func TestValidateDomain(t *testing.T) {
	t.Parallel()
	for _, domain := range []string{
		"localhost", "com", ".com", ".", "..", "...", "..example.com", "example..com", "example.com.", "127.0.0.1", ".127.0.0.1",
		"::1", "[::1]", "example.com:8080", "https://example.com", "//example.com", "example.com/", "example.com/path",
		"user@example.com", "*.example.com", "example,com", "exa mple.com", " example.com", "example.com ", "-a.example.com",
		"a-.example.com", "münchen.de", strings.Repeat("a", 64) + ".com", "a." + strings.Repeat("b.", 130) + "com", "1.2", "example.123",
	} {
		wantRefused(t, Options{Cookie: Cookie{Domain: domain}}, "Cookie.Domain")
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
		wantRefused(t, Options{Cookie: Cookie{Path: path}}, "Cookie.Path")
	}
	wantRefused(t, Options{Cookie: Cookie{SameSite: SameSiteUnset + 1}}, "SameSite")
	wantRefused(t, Options{Cookie: Cookie{SameSite: SameSiteNone, DisableSecure: true}}, "SameSite=None")
	wantRefused(t, Options{Cookie: Cookie{Partitioned: true, DisableSecure: true}}, "Partitioned")
	equal(t, "attribute of an unknown SameSite", (SameSiteUnset + 1).value(), "")
}
