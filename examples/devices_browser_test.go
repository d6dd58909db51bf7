package examples_test

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// TestTwoBrowsers signs one user in with two browsers, of which the first signs the second out: while that does nothing,
// while a request of it is under way that has not been answered yet, and while one is being answered.
func TestTwoBrowsers(t *testing.T) {
	t.Parallel()
	binaries, open := build(t), browserTabs(t)
	for _, framework := range frameworks() {
		t.Run(framework, func(t *testing.T) {
			t.Parallel()
			tabs := open(t, 2)
			p := &pair{T: t, ada: tabs[0], second: tabs[1], onlooker: visit(t, start(t, filepath.Join(binaries, framework)))}
			p.onlooker.operate()
			p.listen()
			p.remembers()
			p.confirms()
			p.meanwhile("an idle browser", p.idle)
			p.meanwhile("a request not yet answered", p.slowly)
			p.meanwhile("a stream", p.watching)
		})
	}
}

// pair is two browsers of one user, and somebody without a session who looks at the counts.
type pair struct {
	*testing.T
	ada, second context.Context //nolint:containedctx // tabs are contexts
	onlooker    *visitor
	setCookies  atomic.Int64 // how many responses to the second browser had one
}

// listen counts the cookies that responses bring: the jar shows no difference when one brings the cookie that is there.
func (p *pair) listen() {
	p.Helper()
	err := chromedp.Listen(p.second, func(event any) {
		response, ok := event.(*network.EventResponseReceivedExtraInfo)
		if !ok {
			return
		}
		for name := range response.Headers {
			if strings.EqualFold(name, "Set-Cookie") {
				p.setCookies.Add(1)
			}
		}
	})
	if err != nil {
		p.Fatal(err)
	}
}

func (p *pair) open(tab context.Context, path string) {
	p.Helper()
	chromium.Do(tab, p.T, chromedp.Navigate(p.onlooker.base+path))
}

func (p *pair) signIn(tab context.Context, remember bool) {
	p.Helper()
	p.open(tab, "/")
	if !chromium.Get(tab, p.T, chromedp.Evaluate[bool](`document.getElementById("name") !== null`)) {
		p.Fatal("still signed in")
	}
	chromium.Do(tab, p.T, chromedp.SendKeys(chromedp.CSS("#name"), "Ada"))
	if remember {
		chromium.Do(tab, p.T, chromedp.Click(chromedp.CSS("[name=remember]")))
	}
	chromium.Do(tab, p.T, chromedp.Click(chromedp.CSS("#signin")), chromedp.WaitVisible(signOut))
}

// cookie returns the only one in the jar.
func (p *pair) cookie(tab context.Context) *network.Cookie {
	p.Helper()
	jar := cookies(tab, p.T)
	if len(jar) != 1 {
		p.Fatalf("%d cookies in the jar, want 1", len(jar))
	}
	return jar[0]
}

// remembers signs in with both, and looks at what the browsers keep.
func (p *pair) remembers() {
	p.signIn(p.ada, true)
	p.signIn(p.second, false)
	want := stored{Domain: "localhost", Path: "/", HTTPOnly: true, SameSite: network.CookieSameSiteLax, Days: 30}
	if got := attributes(p.cookie(p.ada)); got != want {
		p.Errorf("remembered: stored as %+v\n                  want %+v", got, want)
	}
	want.Days, want.Session = 0, true
	if got := attributes(p.cookie(p.second)); got != want {
		p.Errorf("not remembered: stored as %+v\n                      want %+v", got, want)
	}
	if n := p.setCookies.Load(); n != 2 {
		p.Errorf("%d responses brought a cookie, want 2: those to the first visit and to signing in", n)
	}
}

// confirms presses the button that asks who is there, and answers.
func (p *pair) confirms() {
	p.open(p.ada, "/devices")
	p.lists(2)
	chromium.Do(p.ada, p.T, chromedp.Click(chromedp.CSS("#others")), chromedp.WaitVisible(chromedp.CSS("#phrase")))
	chromium.Do(p.ada, p.T, chromedp.SendKeys(chromedp.CSS("#phrase"), "open sesame"), chromedp.Click(chromedp.CSS("#confirm")), chromedp.WaitVisible(chromedp.CSS("#others")))
	p.lists(2) // asking has done nothing yet
}

// lists reports a devices page on the first browser with another number of devices, or one that does not mark this one.
func (p *pair) lists(n int) {
	p.Helper()
	count := func(selector string) int {
		return chromium.Get(p.ada, p.T, chromedp.Evaluate[int](`document.querySelectorAll("`+selector+`").length`))
	}
	if all, here := count("#devices li"), count("#devices .tag"); all != n || here != 1 {
		p.Errorf("the page lists %d devices and marks %d as this one, want %d and 1", all, here, n)
	}
}

// meanwhile signs the second browser out while it is about something that has begun and, as pending tells, has not come to
// its end. What has ended before could not be caught, so it begins again, a few times. Over is called when its response
// has come, and reports whether that looks as it should.
func (p *pair) meanwhile(what string, begin func() (pending, over func() bool)) {
	p.Helper()
	for range 10 {
		p.open(p.ada, "/devices") // Now, so that only the button is left to press.
		pending, over := begin()
		before, brought := p.cookie(p.second).Value, p.setCookies.Load()
		p.revokes()
		if !pending() {
			p.signIn(p.second, false)
			continue
		}
		if !over() {
			p.Errorf("%s: signing out meanwhile did not show", what)
		}
		p.isOut(what, before)
		if p.setCookies.Load() != brought {
			p.Errorf("%s: the late response brought a cookie", what)
		}
		p.signIn(p.second, false)
		return
	}
	p.Fatalf("%s: it was over each time before the other browser had pressed a button", what)
}

// revokes signs the second browser out from the devices page, which the first shows.
func (p *pair) revokes() {
	p.Helper()
	chromium.Do(p.ada, p.T, chromedp.Click(chromedp.CSS("li:not(:has(.tag)) button")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	if flash := text(p.ada, p.T, ".flash"); flash != "That device is signed out." {
		p.Errorf("after the button: %q", flash)
	}
}

// isOut looks at the jar of the second browser before its next click and after it.
func (p *pair) isOut(what, before string) {
	p.Helper()
	if after := p.cookie(p.second).Value; after != before {
		p.Errorf("%s: the late response changed the cookie", what)
	}
	p.onlooker.stranger().with(before, "/session").wants(p.onlooker, 200, none)
	chromium.Do(p.second, p.T, chromedp.Click(chromedp.CSS(`nav a[href="/devices"]`)), chromedp.WaitVisible(chromedp.CSS(`nav a[href="/devices"][aria-current]`)))
	if page := text(p.second, p.T, "main"); !strings.Contains(page, "You are not signed in here.") {
		p.Errorf("%s: after the next click the page says\n%s", what, page)
	}
	p.open(p.second, "/session")
	if page := text(p.second, p.T, "body"); !strings.Contains(page, none) || strings.Contains(page, "Ada") {
		p.Errorf("%s: the session page says\n%s", what, page)
	}
	chromium.Do(p.ada, p.T, chromedp.Reload())
	p.lists(1)
}

// idle is a browser that waits for a click.
func (p *pair) idle() (pending, over func() bool) {
	p.open(p.second, "/devices")
	yes := func() bool { return true }
	return yes, yes
}

// slowly begins a request that writes before it is answered. It is under way when the count of requests says so.
func (p *pair) slowly() (pending, over func() bool) {
	p.open(p.second, "/counter")
	before := p.requests()
	chromium.Do(p.second, p.T, chromedp.Evaluate[chromedp.Void](`window.late = ""; fetch("/counter/slowly", {method: "POST"}).then(async (r) => { window.late = r.status + await r.text() }); null`))
	for p.requests() == before {
		if p.second.Err() != nil { // two minutes after it was opened
			p.Fatal("the request did not begin")
		}
		time.Sleep(10 * time.Millisecond)
	}
	pending = func() bool { return chromium.Get(p.second, p.T, chromedp.Evaluate[bool](`window.late === ""`)) }
	over = func() bool {
		chromium.Get(p.second, p.T, chromedp.Poll[bool](`window.late !== ""`))
		late := chromium.Get(p.second, p.T, chromedp.Evaluate[string](`window.late`))
		return strings.HasPrefix(late, "200") && strings.Contains(late, `<span id="count">0</span>`) && !strings.Contains(late, "Ada")
	}
	return pending, over
}

// requests returns how many came with a session.
func (p *pair) requests() int {
	p.Helper()
	found := regexp.MustCompile(`<dt>Requests with a session</dt><dd>(\d+)</dd>`).FindStringSubmatch(p.onlooker.wants("/operator", 200))
	if found == nil {
		p.Fatal("the operator page does not count requests")
	}
	n, _ := strconv.Atoi(found[1])
	return n
}

// watching begins a stream, which writes at its end.
func (p *pair) watching() (pending, over func() bool) {
	p.open(p.second, "/live")
	chromium.Do(p.second, p.T, chromedp.Click(chromedp.CSS("#watch")))
	chromium.Get(p.second, p.T, chromedp.Poll[bool](`document.getElementById("progress").value >= 1`))
	pending = func() bool {
		return chromium.Get(p.second, p.T, chromedp.Evaluate[bool](`document.getElementById("watch").disabled`))
	}
	over = func() bool {
		chromium.Get(p.second, p.T, chromedp.Poll[bool](`document.getElementById("watch").disabled === false`))
		return text(p.second, p.T, "#watched") == "0"
	}
	return pending, over
}
