package examples_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// headerTellsWho looks at the header of a page before and after signing in, and signs out with its button.
func headerTellsWho(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Navigate(base))
	if who := text(ctx, t, "header .who"); who != "Not signed in" {
		t.Errorf("before signing in the header says %q", who)
	}
	chromium.Do(ctx, t, chromedp.SendKeys(chromedp.CSS("#name"), "Hedy"), chromedp.Click(chromedp.CSS("#signin")), chromedp.WaitVisible(signOut))
	for _, path := range []string{"/", "/devices", "/counter", "/operator", "/nowhere"} {
		chromium.Do(ctx, t, chromedp.Navigate(base+path))
		if who := text(ctx, t, "header #user"); who != "Hedy" {
			t.Errorf("the header of %s says %q", path, who)
		}
	}
	chromium.Do(ctx, t, chromedp.Click(chromedp.CSS("header #signout")), chromedp.WaitVisible(chromedp.CSS("header p.who")))
	if page := text(ctx, t, "body"); strings.Contains(page, "Hedy") {
		t.Errorf("after signing out the page says\n%s", page)
	}
}

// operates enters the operator's token, ends a session of the same browser, and leaves.
func operates(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Navigate(base), chromedp.SendKeys(chromedp.CSS("#name"), "Mary"), chromedp.Click(chromedp.CSS("#signin")),
		chromedp.WaitVisible(signOut), chromedp.Navigate(base+"/operator"))
	enter := func(token string, then chromedp.CSS) {
		t.Helper()
		chromium.Do(ctx, t, chromedp.SendKeys(chromedp.CSS("#token"), token), chromedp.Click(chromedp.CSS("#enter")), chromedp.WaitVisible(then))
	}
	enter("guess", "#token-error")
	enter(operatorToken, "#leave")
	where := chromium.Get(ctx, t, chromedp.Evaluate[string](`location.href + history.length + document.referrer + document.cookie`))
	if strings.Contains(where, operatorToken) || !strings.HasPrefix(where, base+"/operator") {
		t.Errorf("the browser is at %q", where)
	}
	if n := len(cookies(ctx, t)); n != 2 {
		t.Errorf("%d cookies, want the visitor's and the operator's", n)
	}
	chromium.Do(ctx, t, chromedp.Click(chromedp.CSS("#leave")), chromedp.WaitVisible(chromedp.CSS("#token")))
	if user, n := text(ctx, t, "header #user"), len(cookies(ctx, t)); user != "Mary" || n != 1 {
		t.Errorf("after leaving: user %q, %d cookies", user, n)
	}
}

// screens are those that the pages are made for, each with both colour schemes.
func screens() []int64 { return []int64{360, 1200} }

// view makes the tab a screen of this width.
func view(ctx context.Context, t *testing.T, width int64, scheme string) {
	t.Helper()
	chromium.Do(ctx, t, chromedp.EmulateViewport(width, 900))
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// problems is a script that says what is wrong with how a page looks: it is wider than the screen, something to press is
// smaller than 44 pixels, text is hard to read (WCAG 2.2, 1.4.3), a field has no label, or on a wide screen something that
// is to stay on one line does not.
const problems = `(() => {
	const found = [], shown = (e) => e.checkVisibility() && e.getClientRects().length > 0;
	const name = (e) => e.tagName + "#" + e.id + "." + e.className + " " + e.textContent.trim().slice(0, 30);
	if (document.documentElement.scrollWidth > innerWidth) found.push("the page is " + document.documentElement.scrollWidth + " wide");
	for (const e of document.querySelectorAll("button, .button, nav a, .mark, input:not([type=hidden], [type=radio], [type=checkbox]), .option"))
		if (shown(e) && e.getBoundingClientRect().height < 44) found.push("small: " + name(e) + " " + e.getBoundingClientRect().height);
	for (const e of document.querySelectorAll("input:not([type=hidden])"))
		if (!e.labels.length) found.push("no label: " + name(e));
	const rgb = (color) => { const c = document.createElement("canvas").getContext("2d"); c.fillStyle = color; c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data };
	const light = (color) => { const [r, g, b] = Array.from(rgb(color)).map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] === 255) return c } return "white" };
	for (const e of document.querySelectorAll("body *")) {
		if (!shown(e) || !Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.data.trim())) continue;
		const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5 && !e.matches(":disabled, .skip")) found.push("contrast " + ((a + .05) / (b + .05)).toFixed(1) + ": " + name(e));
	}
	if (innerWidth >= 1200) {
		const middle = (e) => { const r = e.getBoundingClientRect(); return (r.top + r.bottom) / 2 };
		const parts = Array.from(document.querySelectorAll("header .mark, nav a, header .who"));
		if (parts.some((e) => Math.abs(middle(e) - middle(parts[0])) > 4)) found.push("the header has several lines");
		for (const e of document.querySelectorAll("nav a, button, th, td, dt, dd, .list h2, .list h3, .list p, .tag")) {
			const range = document.createRange(); range.selectNodeContents(e);
			const r = Array.from(range.getClientRects()).filter((r) => r.width > 0);
			if (shown(e) && r.length && Math.max(...r.map((r) => r.bottom)) - Math.min(...r.map((r) => r.top)) > 40) found.push("wraps: " + name(e));
		}
	}
	if (!document.documentElement.lang || !document.title) found.push("no language or title");
	return found.join("\n");
})()`

// TestBrowserLooks visits every page in light and dark, on a small and a wide screen.
func TestBrowserLooks(t *testing.T) {
	t.Parallel()
	open := browser(t)
	base := start(t, filepath.Join(build(t), "nethttp"))
	for _, width := range screens() {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d/%s", width, scheme), func(t *testing.T) {
				t.Parallel()
				tab := open(t)
				view(tab, t, width, scheme)
				looks(tab, t, base)
			})
		}
	}
}

// looks visits all pages, first as nobody, then as a user with two devices, then as the operator.
func looks(tab context.Context, t *testing.T, base string) {
	t.Helper()
	at := func(state string, paths ...string) {
		t.Helper()
		for _, path := range paths {
			chromium.Do(tab, t, chromedp.Navigate(base+path))
			if wrong := chromium.Get(tab, t, chromedp.Evaluate[string](problems)); wrong != "" {
				t.Errorf("%s, %s:\n%s", state, path, wrong)
			}
		}
	}
	at("nobody", "/", "/session", "/devices", "/operator", "/goodbye", "/nowhere")
	visit(t, base).signIn("Grace Hopper") //nolint:contextcheck // a browser of its own
	chromium.Do(tab, t, chromedp.Navigate(base), chromedp.SendKeys(chromedp.CSS("#name"), "Grace Hopper"), chromedp.Click(chromedp.CSS("#signin")), chromedp.WaitVisible(signOut))
	at("user", "/", "/preferences", "/counter", "/live", "/session", "/devices", "/confirm")
	chromium.Do(tab, t, chromedp.SendKeys(chromedp.CSS("#phrase"), "open sesame"), chromedp.Click(chromedp.CSS("#confirm")), chromedp.WaitVisible(chromedp.CSS(".flash")))
	at("confirmed", "/devices", "/password", "/operator")
	chromium.Do(tab, t, chromedp.SendKeys(chromedp.CSS("#token"), operatorToken), chromedp.Click(chromedp.CSS("#enter")), chromedp.WaitVisible(chromedp.CSS("#leave")))
	at("operator", "/operator")
	table := `(() => { const s = document.querySelector(".scroll"); return s.scrollWidth > s.clientWidth })()`
	scrolls := chromium.Get(tab, t, chromedp.Evaluate[bool](table))
	says := chromium.Get(tab, t, chromedp.Evaluate[bool](`document.getElementById("sideways").checkVisibility()`))
	if scrolls != says {
		t.Errorf("the table scrolls: %t, it says so: %t", scrolls, says)
	}
}
