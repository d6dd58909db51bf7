package examples_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// browser starts Chromium for the length of the test, and returns a function that opens a tab with a cookie jar of its
// own. Where there is no Chromium that skips its test; on CI it is a failure.
func browser(t *testing.T) (open func(*testing.T) context.Context) {
	t.Helper()
	openTabs := browserTabs(t)
	return func(t *testing.T) context.Context {
		t.Helper()
		return openTabs(t, 1)[0]
	}
}

// browserTabs is like browser, for a test that needs several jars.
func browserTabs(t *testing.T) (open func(t *testing.T, n int) []context.Context) {
	t.Helper()
	path := chromium.Find(t)
	if path == "" {
		return func(t *testing.T, _ int) []context.Context {
			t.Helper()
			t.Skip(chromium.Missing)
			return nil
		}
	}
	ctx, _ := chromium.Start(t, path, t.TempDir())
	return func(t *testing.T, n int) []context.Context {
		t.Helper()
		atWork <- struct{}{}
		t.Cleanup(func() { <-atWork })
		tabs := make([]context.Context, n)
		for i := range tabs {
			tabs[i] = openTab(ctx, t)
		}
		return tabs
	}
}

// atWork limits how many tests use a browser at the same time. More would wait for a processor, until their deadlines.
var atWork = make(chan struct{}, runtime.GOMAXPROCS(0)) //nolint:gochecknoglobals // it is for all tests

// openTab opens a tab with a jar of its own, for two minutes at most.
func openTab(browser context.Context, t *testing.T) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	chromium.Do(tab, t)
	tab, cancel = context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	return tab
}

// cookies returns all that the tab's jar holds.
func cookies(ctx context.Context, t *testing.T) []*network.Cookie {
	t.Helper()
	jar := chromedp.FromContext(ctx).BrowserContextID
	res, err := chromedp.CallBrowser(ctx, storage.GetCookies, storage.GetCookiesParams{BrowserContextID: jar})
	if err != nil {
		t.Fatal(err)
	}
	return res.Cookies
}

func text(ctx context.Context, t *testing.T, selector chromedp.CSS) string {
	t.Helper()
	return chromium.Get(ctx, t, chromedp.Text(selector))
}

// goBack presses the back button and returns the text of the page once the selector is there. The page may be a new
// one, or the old document that the browser has kept whole, for which no load is reported.
func goBack(ctx context.Context, t *testing.T, selector string) string {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Evaluate[chromedp.Void](`history.back()`))
	for ctx.Err() == nil {
		back, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("`+selector+`") ? document.body.innerText : ""`))
		if err == nil && back != "" {
			return back
		}
		time.Sleep(10 * time.Millisecond) // and once more: the old page may have gone away meanwhile
	}
	t.Fatal(ctx.Err())
	return ""
}

const signOut chromedp.CSS = "#signout"

// walk signs in, counts, reloads, sends twenty requests twice, signs out and goes back.
func walk(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Navigate(base), chromedp.SendKeys(chromedp.CSS("#name"), "Ada"), chromedp.Click(chromedp.CSS("#signin")),
		chromedp.WaitVisible(signOut), chromedp.Reload())
	if visits := text(ctx, t, "#visits"); visits != "3" {
		t.Errorf("visits %q, want 3", visits)
	}
	jar := cookies(ctx, t)
	if len(jar) != 1 {
		t.Fatalf("%d cookies while signed in", len(jar))
	}
	want := stored{Domain: "localhost", Path: "/", HTTPOnly: true, Session: true, SameSite: network.CookieSameSiteLax}
	if got := attributes(jar[0]); got != want {
		t.Errorf("stored as %+v\n      want %+v", got, want)
	}
	chromium.Do(ctx, t, chromedp.Navigate(base+"/counter"))
	for _, total := range []string{"20", "40"} {
		chromium.Do(ctx, t, chromedp.Click(chromedp.CSS("#parallel")))
		chromium.Get(ctx, t, chromedp.Poll[bool](`document.getElementById("parallel").disabled === false`))
		if verdict, count := text(ctx, t, "#verdict"), text(ctx, t, "#count"); verdict != "20 sent, 20 counted, 0 lost." || count != total {
			t.Errorf("verdict %q, count %q, want %s", verdict, count, total)
		}
	}
	chromium.Do(ctx, t, chromedp.Reload())
	if count := text(ctx, t, "#count"); count != "40" {
		t.Errorf("count %q after reloading, want 40", count)
	}
	chromium.Do(ctx, t, chromedp.Click(signOut), chromedp.WaitVisible(chromedp.CSS(`main a[href="/"]`)))
	if jar = cookies(ctx, t); len(jar) != 0 {
		t.Errorf("%d cookies after signing out", len(jar))
	}
	if back := goBack(ctx, t, "#verdict"); strings.Contains(back, "Ada") || !strings.Contains(back, "stands at 0.") {
		t.Errorf("the back button shows the signed-in page:\n%s", back)
	}
}

// watch looks at the stream until it ends.
func watch(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	chromium.Do(ctx, t, chromedp.Navigate(base+"/live"), chromedp.Click(chromedp.CSS("#watch")))
	chromium.Get(ctx, t, chromedp.Poll[bool](`document.getElementById("progress").value >= 1`))
	chromium.Get(ctx, t, chromedp.Poll[bool](`document.getElementById("watch").disabled === false`))
	if watched := text(ctx, t, "#watched"); watched != "1" {
		t.Errorf("watched %q at the end, want 1", watched)
	}
}

// crossOriginPosts has pages of another origin sign the visitor in and out. The one at localhost is of the same site,
// so that the cookie goes along with its posts in spite of SameSite.
func crossOriginPosts(ctx context.Context, t *testing.T, base string) {
	t.Helper()
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<form method="post" action="` + base + r.URL.Path + `"><input name="user" value="Eve"><button>Win</button></form>`)) //nolint:gosec // the test asks for it
	}))
	defer trap.Close()
	chromium.Do(ctx, t, chromedp.Navigate(base), chromedp.SendKeys(chromedp.CSS("#name"), "Ada"), chromedp.Click(chromedp.CSS("#signin")), chromedp.WaitVisible(signOut))
	for _, origin := range []string{trap.URL, strings.Replace(trap.URL, "127.0.0.1", "localhost", 1)} {
		for _, path := range []string{"/signin", "/signout", "/counter", "/preferences", "/session/renew", "/devices/revoke-others", "/operator", "/operator/end"} {
			chromium.Do(ctx, t, chromedp.Navigate(origin+path), chromedp.Click(chromedp.CSS("button")), chromedp.WaitVisible(chromedp.CSS("main h1")))
			if page := text(ctx, t, "main"); !strings.Contains(page, "Not from this site") {
				t.Errorf("a post from %s to %s was answered by\n%s", origin, path, page)
			}
		}
	}
	chromium.Do(ctx, t, chromedp.Navigate(base+"/session"))
	if page := text(ctx, t, "main"); !strings.Contains(page, "Ada") || strings.Contains(page, "clicks") || strings.Contains(page, "preferences") {
		t.Errorf("after posts from elsewhere the session is\n%s", page)
	}
}
