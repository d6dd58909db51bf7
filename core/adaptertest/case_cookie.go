package adaptertest

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/cloakroom-go/sessions/core"
)

// cookieCases returns the cases C1 to C10 and K1, about cookies that are sent and received.
func cookieCases() []testCase {
	return []testCase{
		{"C1/Bytes", ruleBytes, cookieBytes},
		{"C4/RemovalBytes", ruleBytes, cookieRemovalBytes},
		{"C5/OncePerResponse", ruleOnce, cookieOnce},
		{"C5/OtherCookiesStay", ruleOnce, cookieOthers},
		{"C6/Duplicates", ruleTickets, cookieDuplicates},
		{"C10/ParserTricks", ruleParser, cookieTricks},
		{"C10/ParserTricksAfterARead", ruleParser, afterARead(cookieTricks)},
		{"C10/DuplicatesAfterARead", ruleTickets, afterARead(cookieDuplicates)},
		{"C10/FieldName", ruleFieldName, cookieFieldName},
		{"K1/Malformed", ruleMalformed, cookieMalformed},
	}
}

// setCookie is what a response with these options sets, with TOKEN for the token.
type setCookie struct {
	options core.Options
	// The first part is name, value, Path and Domain. The removal of a cookie has Max-Age=0
	// and Expires where maxAge is.
	first, maxAge, rest string
}

func setCookies() []*setCookie {
	return []*setCookie{
		{
			core.Options{},
			"session=TOKEN; Path=/", "; Max-Age=2592000", "; HttpOnly; Secure; SameSite=Lax",
		},
		{
			core.Options{Cookie: core.Cookie{SessionOnly: true, SameSite: core.SameSiteStrict}},
			"session=TOKEN; Path=/", "", "; HttpOnly; Secure; SameSite=Strict",
		},
		{
			core.Options{Expiry: core.Permanent, Cookie: core.Cookie{
				Domain: ".example.com", DisableHTTPOnly: true,
				SameSite: core.SameSiteNone, Partitioned: true,
			}},
			"session=TOKEN; Path=/; Domain=example.com", "; Max-Age=34560000",
			"; Secure; SameSite=None; Partitioned",
		},
		{
			core.Options{Expiry: time.Hour, Cookie: core.Cookie{
				Path: "/p", DisableSecure: true, SameSite: core.SameSiteUnset,
			}},
			"session=TOKEN; Path=/p", "; Max-Age=3600", "; HttpOnly",
		},
	}
}

func cookieBytes(e *env) {
	token := regexp.MustCompile(`=[A-Za-z0-9_-]{64};`)
	e.handleGet("/p", countVisit)
	for _, c := range setCookies() {
		e.app.Routes = e.app.Routes[:1] // serve adds the others again.
		e.serve(c.options)
		a := e.newBrowser().get("/p")
		want := c.first + c.maxAge + c.rest
		if got := token.ReplaceAllString(e.wantCookie(a), "=TOKEN;"); got != want {
			e.Errorf("Set-Cookie is\n%s, want\n%s", got, want)
		}
	}
}

func cookieRemovalBytes(e *env) {
	e.handleGet("/p", countVisit)
	for _, c := range setCookies() {
		e.app.Routes = e.app.Routes[:1] // serve adds the others again.
		e.serve(c.options)
		b := e.newBrowser()
		b.get("/p")
		want := strings.Replace(c.first, "TOKEN", "", 1) +
			"; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" + c.rest
		if got := e.wantCookie(b.get("/logout")); got != want {
			e.Errorf("Set-Cookie is\n%s, want\n%s", got, want)
		}
	}
}

func cookieOnce(e *env) {
	e.handleGet("/twice", func(c Context) error {
		s := c.Get()
		visits.Update(s, increment)
		if err := c.Commit(); err != nil {
			return err
		}
		if err := s.Renew(); err != nil {
			return err
		}
		return c.Body(200, handlerBody)
	})
	e.handleGet("/ended", func(c Context) error {
		s := c.Get()
		if err := s.Renew(); err != nil {
			return err
		}
		if err := c.Commit(); err != nil {
			return err
		}
		s.Destroy()
		return c.Body(200, handlerBody)
	})
	e.serve(core.Options{})
	b := e.newBrowser()
	e.wantCookie(b.get("/twice"))
	e.wantBody(b.get("/read"), "1")
	e.wantCookie(b.get("/twice"))
	e.wantBody(b.get("/read"), "2")
	e.wantRemoval(b.get("/ended"))
	e.wantSessions(0, 1)
}

func cookieOthers(e *env) {
	e.handleGet("/others", func(c Context) error {
		c.SetHeader("Set-Cookie", "session2=other")
		return countVisit(c)
	})
	e.serve(core.Options{})
	a := e.newBrowser().get("/others")
	e.wantCookie(a)
	if lines := a.cookies("session2"); len(lines) != 1 {
		e.Errorf("the application's own cookie is set %d times, want once", len(lines))
	}
}

func cookieDuplicates(e *env) {
	e.serve(core.Options{})
	good := "session=" + e.newVisitor().token()
	bad := unknownTokens(4)
	for i := range bad {
		bad[i] = "session=" + bad[i]
	}
	c := e.dial()
	for _, test := range [...]struct {
		fields []string // the Cookie fields
		want   string
	}{
		{[]string{"session=garbage; " + good}, "1"},
		{[]string{good + "; session=garbage"}, "1"},
		{[]string{bad[0] + "; " + good}, "1"},
		{[]string{strings.Join(bad[:3], "; ") + "; " + good}, "1"},
		{[]string{strings.Join(bad, "; ") + "; " + good}, "0"},
		{[]string{"other=1", good}, "1"},
		{[]string{bad[0], bad[1], good}, "1"},
		{[]string{bad[0], bad[1], bad[2], bad[3], good}, "0"},
		{[]string{good, good}, "1"},
	} {
		lines := make([]string, len(test.fields))
		for i, field := range test.fields {
			lines[i] = "Cookie: " + field
		}
		loads := e.store.calls("load")
		a := c.roundTrip("/read", lines...)
		if a.status != http.StatusOK || a.body != test.want {
			e.Errorf("with %d Cookie lines %q the answer is %d %q, want 200 %q",
				len(lines), lines, a.status, a.body, test.want)
		}
		if n := e.store.calls("load") - loads; n > 4 {
			e.Errorf("%d tokens were tried, want at most 4", n)
		}
	}
}

// spellings returns Cookie fields with the token, and the number of visits that each must
// read.
func spellings(token string) map[string]string {
	return map[string]string{
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
	}
}

func cookieTricks(e *env) {
	e.serve(core.Options{})
	token := e.newVisitor().token()
	c := e.dial()
	for cookie, want := range spellings(token) {
		a := c.roundTrip("/read", "Cookie: "+cookie)
		if a.status != http.StatusOK || a.body != want {
			e.Errorf("with Cookie: %s\nthe answer is %d %q, want 200 %q",
				cookie, a.status, a.body, want)
		}
	}
}

// afterARead runs a case with middleware outside of the sessions that has read the cookies before.
func afterARead(run func(e *env)) func(e *env) {
	return func(e *env) {
		e.app.ReadCookies = true
		run(e)
	}
}

func cookieFieldName(e *env) {
	e.serve(core.Options{})
	token := e.newVisitor().token()
	c := e.dial()
	for _, name := range [...]string{"Cookie", "cookie", "COOKIE", "cOOKIE"} {
		e.wantBody(c.roundTrip("/read", name+": session="+token), "1")
		e.wantBody(c.roundTrip("/read", "Cookie: a=b", name+": session="+token), "1")
	}
	for _, name := range [...]string{"X-Cookie", "Cookie2", "Cookies"} {
		e.wantBody(c.roundTrip("/read", name+": session="+token), "0")
		e.wantBody(c.roundTrip("/read", name+": session="+token, "Cookie: =session="+token), "0")
	}
}

func cookieMalformed(e *env) {
	e.serve(core.Options{})
	c := e.dial()
	good := unknownTokens(1)[0]
	short := good[:63]
	values := []string{
		"", "x", "garbage", good + "A",
		short, short + "=", short + "+", short + "/", short + "%", short + "\x80", short + " ",
		"\"" + good[:62] + "\"", strings.Repeat("A", 64), strings.Repeat("A", 2000),
	}
	for n := range 70 {
		if n != tokenLength {
			values = append(values, strings.Repeat("B", n))
		}
	}
	for _, value := range values {
		a := c.roundTrip("/read", "Cookie: session="+value)
		e.wantBody(a, "0")
		e.wantNoCookie(a)
	}
	e.wantCalls(0)
}
