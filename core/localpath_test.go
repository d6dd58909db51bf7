package core

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestLocalPath has the tricks with which a redirect leaves a site.
func TestLocalPath(t *testing.T) {
	t.Parallel()
	for path, wanted := range map[string]bool{
		"/":                              true,
		"/account":                       true,
		"/a/b%20c?x=1&y=%2F%2Fevil":      true,
		"/a//b":                          true,
		"/?next=https://evil.example/":   true,
		"/@evil.example":                 true,
		"/a:80":                          true,
		"/" + strings.Repeat("a", 2047):  true,
		"/" + strings.Repeat("a", 2048):  false,
		"":                               false,
		"account":                        false,
		"?x=1":                           false,
		"#top":                           false,
		"/account#top":                   false,
		"//evil.example":                 false,
		"//evil.example/a":               false,
		"///evil.example":                false,
		`/\evil.example`:                 false,
		`\/evil.example`:                 false,
		`\\evil.example`:                 false,
		`/a\b`:                           false,
		"/\t/evil.example":               false,
		"/\n/evil.example":               false,
		"/\r\nSet-Cookie: session=x":     false,
		"\t//evil.example":               false,
		" /account":                      false,
		"/a b":                           false,
		"/\x00/evil.example":             false,
		"/a\x7f":                         false,
		"/ä":                             false,
		"/\u2028":                        false,
		"https://evil.example":           false,
		"https:evil.example":             false,
		"https:/evil.example":            false,
		"http:///evil.example":           false,
		"javascript:alert(1)":            false,
		"data:text/html,x":               false,
		"//user@evil.example":            false,
		"mailto:a@b":                     false,
		"%2F%2Fevil.example":             false,
		"/%":                             false,
		"/a%zz":                          false,
		"//":                             false,
		"/\\":                            false,
		"\u00a0/account":                 false,
		"//evil.example/../../account":   false,
		"/account\u0000.evil.example":    false,
		"\ufeff/account":                 false,
		"/.evil.example":                 true,
		"/..//evil.example":              true, // A path of this host, whatever it is normalized to.
		"/;@evil.example":                true,
		"/%09/evil.example":              true,
		"/%5cevil.example":               true,
		"/" + url.QueryEscape("//a"):     true,
		"/a?b=\\evil.example":            false,
		"/a?b=" + url.QueryEscape(`\\x`): true,
	} {
		equal(t, path, LocalPath(path), wanted)
	}
}

// Whatever LocalPath accepts leads to the host that the redirect came from.
func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/", "//evil.example", `/\evil.example`, "/..//evil.example", "/a?b#c", "/\t/x"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://site.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !LocalPath(path) {
			return
		}
		to, err := base.Parse(path)
		if err != nil || to.Host != "site.example" || to.Scheme != "https" || to.Fragment != "" {
			t.Errorf("%q leads to %v, %v", path, to, err)
		}
		header := http.Header{"Location": {path}}
		var out strings.Builder
		if err := header.Write(&out); err != nil || out.String() != "Location: "+path+"\r\n" {
			t.Errorf("%q is written as %q, %v", path, out.String(), err)
		}
	})
}

func TestReturnPath(t *testing.T) {
	t.Parallel()
	for target, wanted := range map[string]string{
		"/login?return_to=%2Faccount%3Fx%3D1":             "/account?x=1",
		"/login?a=b&return_to=/account":                   "/account",
		"/login?return_to=/first&return_to=/second":       "/first",
		"https://site.example/login?return_to=%2Faccount": "/account",
		"/login":                             "/home",
		"/login?return_to=":                  "/home",
		"/login?return_to=//evil.example":    "/home",
		"/login?return_to=%2F%2Fevil":        "/home",
		"/login?return_to=/%5Cevil":          "/home",
		"/login?return_to=%2F%09%2Fevil":     "/home",
		"/login?return_to=https://evil":      "/home",
		"/login?return_to=%zz":               "/home",
		"/login?Return_To=/account":          "/home",
		"/login#?return_to=/account":         "/account", // No client sends a fragment.
		"/login?return_to=%252F%252Fevil":    "/home",
		"/login?return_to=/a%23b":            "/home",
		"/login?return_to=//evil&return_to=": "/home",
	} {
		equal(t, target, ReturnPath(target, "/home"), wanted)
	}
}
