package adapter

import (
	"fmt"
	"testing"
)

func TestH1CacheControl(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ current, private, cookie string }{
		{"", "private", "no-store"},
		{"public", "private", "no-store"},
		{"PUBLIC , Max-Age=60", "private, Max-Age=60", "no-store"},
		{"public, s-maxage=60, max-age=10", "private, max-age=10", "no-store"},
		{"max-age=60, must-revalidate", "private, max-age=60, must-revalidate", "no-store"},
		{"no-cache", "private, no-cache", "no-store"},
		{"private", "private", "no-store"},
		{"private, max-age=60", "private, max-age=60", "no-store"},
		{"max-age=0,Private", "max-age=0,Private", "no-store"},
		{"no-store", "no-store", "no-store"},
		{"No-Store, max-age=0", "No-Store, max-age=0", "No-Store, max-age=0"},
		{"x-no-store", "private, x-no-store", "no-store"},
		{",, ,", "private", "no-store"},
	} {
		equal(t, "untouched, "+tc.current, (&Reply{}).CacheControl(tc.current), tc.current)
		equal(t, "used, "+tc.current, (&Reply{Private: true}).CacheControl(tc.current), tc.private)
		equal(t, "with a cookie, "+tc.current, (&Reply{Private: true, SetCookie: "x"}).CacheControl(tc.current), tc.cookie)
	}
}

// A private directive that names fields lets shared caches store the rest of the response.
func TestH1QualifiedPrivateIsNotEnough(t *testing.T) {
	t.Parallel()
	got := (&Reply{Private: true}).CacheControl(`private="X-User", max-age=60`)
	if !startsBare(got, "private") {
		t.Errorf("Cache-Control is %q, want a private without fields", got)
	}
}

func startsBare(value, name string) bool {
	return value == name || len(value) > len(name) && value[:len(name)+1] == name+","
}

func TestH1Vary(t *testing.T) {
	t.Parallel()
	for current, wanted := range map[string]string{
		"": "Cookie", "Cookie": "Cookie", "cookie": "cookie", "*": "*", "Accept": "Accept, Cookie",
		"Accept, COOKIE": "Accept, COOKIE", "Cookie2": "Cookie2, Cookie", "Accept,*": "Accept,*",
	} {
		equal(t, "untouched, "+current, (&Reply{}).Vary(current), current)
		equal(t, "used, "+current, (&Reply{Private: true}).Vary(current), wanted)
	}
}

// C5: Apply sets one cookie of the session's name and keeps all others.
func TestC5ApplySetsOneCookie(t *testing.T) {
	t.Parallel()
	header := map[string][]string{
		"Set-Cookie":    {"a=b", "session=old; Path=/", "session2=c", "sessio=d", "session", "session=older"},
		"Cache-Control": {"public", "max-age=5"},
		"Vary":          {"Accept", "Origin"},
	}
	r := Reply{Cookie: "session", SetCookie: "session=new", Private: true}
	r.Apply(header)
	want := map[string]string{
		"Set-Cookie": "[a=b session2=c sessio=d session session=new]", "Cache-Control": "[no-store]", "Vary": "[Accept, Origin, Cookie]",
	}
	for field, wanted := range want {
		equal(t, field, fmt.Sprint(header[field]), wanted)
	}
	empty := map[string][]string{}
	(&Reply{Cookie: "session"}).Apply(empty)
	equal(t, "fields of an empty reply", len(empty), 0)
	(&Reply{Private: true}).Apply(empty)
	equal(t, "fields", fmt.Sprint(empty["Cache-Control"])+fmt.Sprint(empty["Vary"])+fmt.Sprint(empty["Set-Cookie"]), "[private][Cookie][]")
}

// After a reply with a cookie, a reply without one does not let caches store the response.
func TestApplyAfterACookie(t *testing.T) {
	t.Parallel()
	header := map[string][]string{"Set-Cookie": {"session=new"}, "Cache-Control": {"max-age=5"}}
	(&Reply{Cookie: "session", Private: true, NoStore: true}).Apply(header)
	equal(t, "Set-Cookie", fmt.Sprint(header["Set-Cookie"]), "[session=new]")
	equal(t, "Cache-Control", fmt.Sprint(header["Cache-Control"]), "[no-store]")
	equal(t, "Vary", fmt.Sprint(header["Vary"]), "[Cookie]")
}

// Apply uses the memory in Values, and the two fields do not grow into each other.
func TestApplyUsesValues(t *testing.T) {
	t.Parallel()
	var values [2]string
	header := map[string][]string{}
	(&Reply{Private: true, Values: &values}).Apply(header)
	equal(t, "values", fmt.Sprint(values), "[private Cookie]")
	equal(t, "Cache-Control is in them", &header["Cache-Control"][0] == &values[0], true)
	equal(t, "Vary is in them", &header["Vary"][0] == &values[1], true)
	header["Cache-Control"] = append(header["Cache-Control"], "no-transform")
	equal(t, "Vary after Cache-Control has grown", header["Vary"][0], "Cookie")
}

// equal fails the test unless got equals wanted.
func equal[T comparable](tb testing.TB, what string, got, wanted T) {
	tb.Helper()
	if got != wanted {
		tb.Errorf("%s is %v, want %v", what, got, wanted)
	}
}
