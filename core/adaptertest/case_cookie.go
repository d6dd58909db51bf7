package adaptertest

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

const (
	ruleOnce      = "a response sets a cookie at most once"
	ruleBytes     = "Set-Cookie is the same to the byte under every framework"
	ruleTickets   = "of several cookies of the name the well-formed ones are tried, four at most, however the framework receives them"
	ruleParser    = "a cookie counts only in the one spelling in which it was set"
	ruleMalformed = "a malformed token costs no store call and starts no session"
	ruleIgnored   = "a token anywhere but in the cookie is ignored"
	ruleAnonymous = "visitors without a session cost no store call and get no cookie, logout included"
	ruleLogin     = "login changes the secret and keeps the session; the old token is dead at once"
	ruleRenew     = "renewal changes the secret and keeps the session; the old token is good for the grace"
	ruleDestroy   = "after logout the token is dead and the cookie removed"
	ruleUnknown   = "a token that the store does not know is never adopted"
)

// cookieCases is C1 to C10 and K1: the cookie on its way out and in.
func cookieCases() []testCase {
	return []testCase{
		{"C1/Bytes", ruleBytes, cookieBytes},
		{"C4/RemovalBytes", ruleBytes, cookieRemovalBytes},
		{"C5/OncePerResponse", ruleOnce, cookieOnce},
		{"C5/OtherCookiesStay", ruleOnce, cookieOthers},
		{"C6/Duplicates", ruleTickets, cookieDuplicates},
		{"C10/ParserTricks", ruleParser, cookieTricks},
		{"K1/Malformed", ruleMalformed, cookieMalformed},
	}
}

// attributes returns one set of options for each that changes the cookie, with the Set-Cookie line that they make.
func attributes() map[string]*core.Options {
	return map[string]*core.Options{
		"session=TOKEN; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax":                          {},
		"session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Strict":                                        {Cookie: core.Cookie{SessionOnly: true, SameSite: core.SameSiteStrict}},
		"session=TOKEN; Path=/; Domain=example.com; Max-Age=34560000; Secure; SameSite=None; Partitioned": {Expiry: core.Permanent, Cookie: core.Cookie{Domain: ".example.com", DisableHTTPOnly: true, SameSite: core.SameSiteNone, Partitioned: true}},
		"session=TOKEN; Path=/p; Max-Age=3600; HttpOnly":                                                  {Expiry: time.Hour, Cookie: core.Cookie{Path: "/p", DisableSecure: true, SameSite: core.SameSiteUnset}},
	}
}

func cookieBytes(x *trial) {
	token := regexp.MustCompile(`=[A-Za-z0-9_-]{64};`)
	x.get("/p", count)
	for line, o := range attributes() {
		x.app.Routes = x.app.Routes[:1]
		x.serve(*o)
		a := x.browser().get("/p")
		if got := token.ReplaceAllString(x.wantCookie(a), "=TOKEN;"); got != line {
			x.broken("Set-Cookie is\n%s, want\n%s", got, line)
		}
	}
}

func cookieRemovalBytes(x *trial) {
	x.get("/p", count)
	maxAge := regexp.MustCompile(`; Max-Age=\d+`)
	for line, o := range attributes() {
		x.app.Routes = x.app.Routes[:1]
		x.serve(*o)
		b := x.browser()
		b.get("/p")
		line = maxAge.ReplaceAllString(strings.Replace(line, "TOKEN", "", 1), "")
		at := strings.Index(line, "; Path=/")
		end := at + 2 + strings.Index(line[at+2:]+";", ";")
		if rest, ok := strings.CutPrefix(line[end:], "; Domain=example.com"); ok {
			end = len(line) - len(rest)
		}
		want := line[:end] + "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + line[end:]
		if got := x.wantCookie(b.get("/logout")); got != want {
			x.broken("Set-Cookie is\n%s, want\n%s", got, want)
		}
	}
}

func cookieOnce(x *trial) {
	x.get("/twice", func(c Context) error {
		s := c.Get()
		visits.Update(s, increment)
		if err := c.Commit(); err != nil {
			return err
		}
		if err := s.Renew(); err != nil {
			return err
		}
		return c.Body(200, body)
	})
	x.get("/ended", func(c Context) error {
		s := c.Get()
		if err := s.Renew(); err != nil {
			return err
		}
		if err := c.Commit(); err != nil {
			return err
		}
		s.Destroy()
		return c.Body(200, body)
	})
	x.serve(core.Options{})
	b := x.browser()
	x.wantCookie(b.get("/twice"))
	x.wantBody(b.get("/read"), "1")
	x.wantCookie(b.get("/twice"))
	x.wantBody(b.get("/read"), "2")
	if line := x.wantCookie(b.get("/ended")); !strings.Contains(line, "Max-Age=0") {
		x.broken("Set-Cookie is %q, want a removal", line)
	}
	x.wantRecords(0)
}

func cookieOthers(x *trial) {
	x.get("/others", func(c Context) error {
		c.SetHeader("Set-Cookie", "session2=other")
		return count(c)
	})
	x.serve(core.Options{})
	a := x.browser().get("/others")
	x.wantCookie(a)
	if lines := a.cookies("session2"); len(lines) != 1 {
		x.broken("the application's own cookie is set %d times, want once", len(lines))
	}
}

// strangers returns n well-formed tokens that no store knows.
func strangers(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		// The letters in the middle are the version and the variant of a UUIDv7.
		tokens[i] = fmt.Sprintf("AZcW%04ddAC", i) + strings.Repeat("A", 53)
	}
	return tokens
}

func cookieDuplicates(x *trial) {
	x.serve(core.Options{})
	good := "session=" + x.visitor().token()
	bad := strangers(4)
	for i := range bad {
		bad[i] = "session=" + bad[i]
	}
	w := x.wire()
	for _, test := range [...]struct {
		lines []string
		want  string
	}{
		{[]string{"Cookie: session=garbage; " + good}, "1"},
		{[]string{"Cookie: " + good + "; session=garbage"}, "1"},
		{[]string{"Cookie: " + bad[0] + "; " + good}, "1"},
		{[]string{"Cookie: " + strings.Join(bad[:3], "; ") + "; " + good}, "1"},
		{[]string{"Cookie: " + strings.Join(bad, "; ") + "; " + good}, "0"},
		{[]string{"Cookie: other=1", "Cookie: " + good}, "1"},
		{[]string{"Cookie: " + bad[0], "Cookie: " + bad[1], "Cookie: " + good}, "1"},
		{[]string{"Cookie: " + bad[0], "Cookie: " + bad[1], "Cookie: " + bad[2], "Cookie: " + bad[3], "Cookie: " + good}, "0"},
		{[]string{"Cookie: " + good, "Cookie: " + good}, "1"},
	} {
		calls := x.store.count("load")
		if a := w.ask("/read", test.lines...); a.status != http.StatusOK || a.body != test.want {
			x.broken("%d Cookie lines %q: answer %d %q, want %q", len(test.lines), test.lines, a.status, a.body, test.want)
		}
		if n := x.store.count("load") - calls; n > 4 {
			x.broken("%d tokens were tried, want at most 4", n)
		}
	}
}

func cookieTricks(x *trial) {
	x.serve(core.Options{})
	token := x.visitor().token()
	w := x.wire()
	for cookie, want := range map[string]string{
		"session=" + token:                        "1",
		"  session=" + token + "  ":               "1",
		"a=b;session=" + token + ";c=d":           "1",
		";; ; session=" + token + ";":             "1",
		"a; =b; session=" + token:                 "1",
		"a=\"; session=" + token + "; b=\"":       "1",
		"session=\"" + token + "\"":               "0",
		"session =" + token:                       "0",
		"session= " + token:                       "0",
		"Session=" + token:                        "0",
		"=" + token:                               "0",
		token:                                     "0",
		"=session=" + token:                       "0",
		"x=session=" + token:                      "0",
		"session==" + token:                       "0",
		"session=" + token + "=":                  "0",
		"session=" + token + ",a=b":               "0",
		"a=b, session=" + token:                   "0",
		"session=" + token + " x":                 "0",
		"session=%" + token:                       "0",
		"session=" + token[:63]:                   "0",
		"session=" + strings.ToLower(token) + "A": "0",
		"$Version=1; $session=" + token:           "0",
	} {
		if a := w.ask("/read", "Cookie: "+cookie); a.status != http.StatusOK || a.body != want {
			x.broken("Cookie: %s\nanswer is %d %q, want 200 %q", cookie, a.status, a.body, want)
		}
	}
}

func cookieMalformed(x *trial) {
	x.serve(core.Options{})
	w := x.wire()
	good := strangers(1)[0]
	values := []string{"", "x", "garbage", good + "A", good[:63], good[:63] + "=", good[:63] + "+", good[:63] + "/", good[:63] + "%", good[:63] + "\x80", good[:63] + " ", "\"" + good[:62] + "\"", strings.Repeat("A", 64), strings.Repeat("A", 2000)}
	for n := range 70 {
		if n != 64 {
			values = append(values, strings.Repeat("B", n))
		}
	}
	for _, value := range values {
		a := w.ask("/read", "Cookie: session="+value)
		x.wantBody(a, "0")
		x.wantNoCookie(a)
	}
	x.wantCalls(0)
}

// floodCases is D1, D2 and D5: what visitors cost who bring nothing, or too much.
func floodCases() []testCase {
	return []testCase{
		{"D1/AnonymousReads", ruleAnonymous, func(x *trial) { flood(x, "/read", 10_000) }},
		{"D2/LogoutWithoutSession", ruleAnonymous, func(x *trial) { flood(x, "/logout", 10_000) }},
		{"D5/HugeCookie", ruleTickets, floodHuge},
	}
}

func flood(x *trial, target string, n int) {
	x.serve(core.Options{})
	cookies := 0
	x.wire().pipeline(n, func(int) (string, string) { return target, "" }, func(_ int, a *answer) {
		if a.status != http.StatusOK || len(a.header["Set-Cookie"]) > 0 {
			cookies++
		}
	})
	if cookies > 0 {
		x.broken("%d of %d answers set a cookie or failed", cookies, n)
	}
	x.wantCalls(0)
}

// floodHuge sends more cookies than the server may be willing to read; if it reads them, few are tried.
func floodHuge(x *trial) {
	x.serve(core.Options{})
	for _, size := range [...]int{40, 800} {
		calls := x.store.count()
		w := x.wire()
		a := w.ask("/read", "Cookie: session="+strings.Join(strangers(size), "; session="))
		if a.status != http.StatusOK && (a.status < 400 || a.status > 499) {
			x.broken("answer to a huge Cookie field is %d", a.status)
		}
		x.wantNoCookie(a)
		if n := x.store.count() - calls; n > 4 {
			x.broken("%d tokens were tried, want at most 4", n)
		}
	}
}

// identityCases is F1 to F6 over HTTP.
func identityCases() []testCase {
	return []testCase{
		{"F1/UnknownToken", ruleUnknown, identityUnknown},
		{"F2/Login", ruleLogin, identityLogin},
		{"F4/TokenElsewhere", ruleIgnored, identityElsewhere},
		{"F6/DestroyedToken", ruleDestroy, identityDestroyed},
		{"X3/Renew", ruleRenew, identityRenew},
	}
}

func identityUnknown(x *trial) {
	x.serve(core.Options{})
	b := x.browser()
	planted := strangers(1)[0]
	b.cookies["session"] = planted
	a := b.get("/read")
	x.wantBody(a, "0")
	x.wantNoCookie(a)
	x.wantBody(b.get("/count"), "1")
	if b.token()[:22] == planted[:22] {
		x.broken("the session has the id that the client brought")
	}
}

func identityLogin(x *trial) {
	x.get("/who", func(c Context) error { return c.Body(200, c.Get().Subject()) })
	x.serve(core.Options{})
	b := x.visitor()
	old := b.twin()
	x.wantCookie(b.get("/login"))
	if b.token() == old.token() || b.token()[:20] != old.token()[:20] {
		x.broken("login keeps the secret or changes the id")
	}
	x.wantBody(b.get("/who"), "alice")
	x.wantBody(b.get("/count"), "2")
	x.wantBody(old.get("/who"), "")
	x.wantBody(old.get("/count"), "1")
}

func identityElsewhere(x *trial) {
	x.route(http.MethodPost, "/read", read)
	x.serve(core.Options{})
	token := x.visitor().token()
	calls := x.store.count()
	b := x.browser()
	form := b.request(x.Context(), http.MethodPost, "/read", "Content-Type", "application/x-www-form-urlencoded")
	form.Body, form.ContentLength = io.NopCloser(strings.NewReader("session="+token)), int64(8+len(token))
	for what, a := range map[string]*answer{
		"query":         b.get("/read?session=" + token),
		"header":        b.get("/read", "Session", token, "X-Session", token, "Authorization", "Bearer "+token, "Cookie2", "session="+token),
		"form":          b.do(form),
		"other cookie":  b.get("/read", "Cookie", "sessions="+token+"; sessio="+token+"; xsession="+token),
		"Set-Cookie":    b.get("/read", "Set-Cookie", "session="+token),
		"path argument": b.get("/read?a;session=" + token),
	} {
		if a.status != http.StatusOK || a.body != "0" {
			x.broken("token in the %s: answer is %d %q", what, a.status, a.body)
		}
	}
	if a := b.get("/read;session=" + token); a.status == http.StatusOK && a.body != "0" {
		x.broken("token in the path: answer is %q", a.body)
	}
	x.wantCalls(calls)
}

func identityDestroyed(x *trial) {
	x.serve(core.Options{})
	b := x.visitor()
	old := b.twin()
	a := b.get("/logout")
	if line := x.wantCookie(a); !strings.HasPrefix(line, "session=;") {
		x.broken("Set-Cookie is %q, want a removal", line)
	}
	x.wantRecords(0)
	x.wantBody(old.get("/read"), "0")
	before := old.token()
	x.wantBody(old.get("/count"), "1")
	if old.token()[:20] == before[:20] {
		x.broken("a dead session's id is used again")
	}
}

func identityRenew(x *trial) {
	x.get("/renew", func(c Context) error {
		if err := c.Get().Renew(); err != nil {
			return err
		}
		return c.Body(200, "renewed")
	})
	x.serve(core.Options{})
	b := x.visitor()
	old := b.twin()
	x.wantCookie(b.get("/renew"))
	if b.token() == old.token() {
		x.broken("renewal keeps the secret")
	}
	x.wantBody(b.get("/read"), "1")
	a := old.get("/read")
	x.wantBody(a, "1")
	x.wantCookie(a)
	if old.token() != b.token() {
		x.broken("the bearer of the old secret does not get the current one")
	}
}
