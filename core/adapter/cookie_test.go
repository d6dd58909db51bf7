package adapter

import (
	"fmt"
	"testing"
)

func TestSameCookie(t *testing.T) {
	t.Parallel()
	const (
		host   = "session=new; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"
		domain = "session=new; Path=/app; Domain=example.com; Secure; Partitioned"
	)
	for _, tc := range []struct {
		value, ours string
		same        bool
	}{
		{"session=old; Path=/", host, true},
		{"session=; path = / ; MAX-AGE=0", host, true},
		{"session=old", host, true},
		{"session=old; Path", host, true},
		{"session=old; Path=app", host, true}, // A path without a slash counts as none.
		{"session=old; Path=/a; Path=/", host, true},
		{"session=old; Domain=example.com; Domain=; Path=/", host, true},
		{"session=old; Domain; Path=/", host, true},
		{"session=", host, true},
		{"session=a=b; Path=/", host, true},
		{"session=Domain=example.com; Path=/", host, true},
		{"session=old; Path=/; Partitioned", host, false},
		{"session=old; Path=/app", host, false},
		{"session=old; Path=/; Path=/app", host, false},
		{"session=; Domain=old.example; Max-Age=0; Path=/", host, false},
		{"session=; Domain=old.example; Max-Age=0", host, false},
		{"session=; Domain=.; Path=/", host, true},
		{"session2=old; Path=/", host, false},
		{"sessio=old; Path=/", host, false},
		{"Session=old; Path=/", host, false},
		{"session; Path=/", host, false},
		{"session", host, false},
		{"", host, false},
		{"a=session=old; Path=/", host, false},
		{"session=; Domain=EXAMPLE.com; Path=/app; Partitioned", domain, true},
		{"session=; Domain=.example.com; Path=/app; partitioned=", domain, true},
		{"session=; Domain=example.com; Partitioned", domain, true},
		{"session=; Domain=example.com; Path=/app", domain, false},
		{"session=; Domain=example.com; Path=/; Partitioned", domain, false},
		{"session=; Domain=www.example.com; Path=/app; Partitioned", domain, false},
		{"session=; Domain=xample.com; Path=/app; Partitioned", domain, false},
		{"session=; Path=/app; Partitioned", domain, false},
	} {
		equal(t, tc.value+" is "+tc.ours, SameCookie(tc.value, tc.ours), tc.same)
	}
}

// TestApplyCookies shows which of an application's cookies stay beside those of a reply.
func TestApplyCookies(t *testing.T) {
	t.Parallel()
	const (
		ours    = "session=new; Path=/"
		removal = "session=; Path=/; Max-Age=0"
		cleanup = "session=; Domain=old.example; Max-Age=0; Path=/"
		former  = "session=; Path=/app; Max-Age=0"
		renamed = "sid=; Path=/; Max-Age=0"
		twin    = "session=; Path=/; Max-Age=0; Partitioned"
	)
	for name, tc := range map[string]struct{ set, reply, want []string }{
		"none":                        {nil, []string{ours}, []string{ours}},
		"no cookie, no former ones":   {[]string{cleanup}, []string{"", former}, []string{cleanup}},
		"the same":                    {[]string{"session=x; Path=/", "session=y"}, []string{ours}, []string{ours}},
		"another domain":              {[]string{cleanup}, []string{ours}, []string{cleanup, ours}},
		"another domain twice":        {[]string{cleanup, cleanup}, []string{ours}, []string{cleanup, cleanup, ours}},
		"another path":                {[]string{former}, []string{ours}, []string{former, ours}},
		"removal":                     {[]string{cleanup, "session=x"}, []string{removal, former}, []string{cleanup, removal, former}},
		"former":                      {[]string{"a=b"}, []string{ours, former, renamed}, []string{"a=b", ours, former, renamed}},
		"former of the application's": {[]string{"sid=x", former}, []string{ours, former, renamed}, []string{ours, former, renamed}},
		"former by partition":         {nil, []string{ours, twin}, []string{ours, twin}},
		"all at once":                 {[]string{"session=x", cleanup, "a=b"}, []string{ours, renamed}, []string{cleanup, "a=b", ours, renamed}},
	} {
		header := map[string][]string{"Set-Cookie": tc.set}
		r := Reply{Cookie: "session", SetCookie: tc.reply[0], FormerCookies: tc.reply[1:], Private: true}
		for range 2 { // A second reply replaces what the first has set.
			r.Apply(header)
			equal(t, name, fmt.Sprint(header["Set-Cookie"]), fmt.Sprint(tc.want))
		}
	}
}

func TestFetchValue(t *testing.T) {
	t.Parallel()
	known := []string{
		"", "same-origin", "same-site", "cross-site", "none", "navigate", "cors", "no-cors", "websocket", "document", "empty", "image",
		"script", "style", "font", "iframe",
	}
	for _, value := range known {
		shared := []byte(value)
		got := FetchValue(shared)
		clear(shared)
		equal(t, "value", got, value)
	}
	shared := []byte("of the future")
	got := FetchValue(shared)
	clear(shared)
	equal(t, "unknown value", got, "of the future")
}

// TestFetchValueAllocates allocates for unknown values only. It is not parallel, because it counts.
func TestFetchValueAllocates(t *testing.T) {
	shared := []byte("no-cors")
	equal(t, "allocations", testing.AllocsPerRun(100, func() { _ = FetchValue(shared) }), 0)
}

// Only a whole line of the name Cookie counts.
func TestIsCookieField(t *testing.T) {
	t.Parallel()
	for raw, wanted := range map[string]bool{
		"Cookie: session=T\r\n":                      true,
		"cookie:session=T \t\r\n":                    true,
		"Host: x\r\nCOOKIE: \tsession=T\r\nA: b\r\n": true,
		"Host: x\nCookie: session=T\n":               true,
		"Cookie: =session=T\r\n":                     false,
		"Cookie: session=T; a=b\r\n":                 false,
		"Cookie: a=b; session=T\r\n":                 false,
		"X-Cookie: session=T\r\n":                    false,
		"Cookie : session=T\r\n":                     false,
		"A: Cookie: session=T\r\n":                   false,
		"Cookie: session=T":                          false,
		"session=T\r\n":                              false,
		"Cookie: other=T\r\n":                        false,
		"":                                           false,
		"A: session=T\r\nCookie: session=T\r\n":      false, // It may miss one.
	} {
		equal(t, raw, IsCookieField([]byte(raw), []byte("session=T")), wanted)
		equal(t, raw+": empty", IsCookieField([]byte(raw), nil), true)
	}
}
