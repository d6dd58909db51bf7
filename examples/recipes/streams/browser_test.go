package main

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	"github.com/cloakroom-go/sessions/examples/recipes/internal/recipe"
)

// TestBrowser watches the streams in one tab of a browser, while others sign the user out.
func TestBrowser(t *testing.T) {
	t.Parallel()
	binary, tab := recipe.Build(t), recipe.Browser(t)
	p := recipe.Start(t, binary, "-addr", "127.0.0.1:0", "-check", "50ms")
	b := &browser{t: t, url: p.URL, tab: tab, other: recipe.NewTab(tab, t)}
	b.signIn(b.tab)
	b.shows("live")
	recipe.WaitUntil(b.tab, t, `document.getElementById("last").textContent.startsWith("ada at ")`)
	chromium.Do(b.tab, t, chromedp.Evaluate[chromedp.Void](`socket.send("hello")`))
	recipe.WaitUntil(b.tab, t, `document.getElementById("answer").textContent === "you said hello"`)
	b.noticesALogout()
	b.noticesARevocation()
	b.connectsOnceAndGivesUp()
	p.Signal(syscall.SIGTERM)
	p.Wait()
}

// TestBrowserConnectsAgain starts the server again while a page is open. The session is gone with the memory of the first
// process, and the page notices that when it has connected to the second.
func TestBrowserConnectsAgain(t *testing.T) {
	t.Parallel()
	binary, tab := recipe.Build(t), recipe.Browser(t)
	first := recipe.Start(t, binary, "-addr", "127.0.0.1:0", "-check", "50ms")
	b := &browser{t: t, url: first.URL, tab: tab}
	b.signIn(b.tab)
	b.shows("live")
	first.Signal(syscall.SIGTERM)
	first.Wait()
	b.shows("reconnecting")
	recipe.Start(t, binary, "-addr", strings.TrimPrefix(first.URL, "http://"), "-check", "50ms")
	b.shows("signed out")
}

// browser is two tabs with one jar, the first of which shows the streams.
type browser struct {
	t          *testing.T
	url        string
	tab, other context.Context //nolint:containedctx // tabs are contexts
}

func (b *browser) signIn(tab context.Context) {
	b.t.Helper()
	chromium.Do(tab, b.t, chromedp.Navigate(b.url), chromedp.Click(chromedp.CSS("#login")))
	recipe.WaitUntil(tab, b.t, `document.getElementById("news").textContent === "live"`)
}

// shows waits until the first tab says so of both streams.
func (b *browser) shows(state string) {
	b.t.Helper()
	recipe.WaitUntil(b.tab, b.t, `["news", "chat"].every(id => document.getElementById(id).textContent === "`+state+`")`)
}

// noticesALogout signs out in the other tab.
func (b *browser) noticesALogout() {
	b.t.Helper()
	chromium.Do(b.other, b.t, chromedp.Navigate(b.url), chromedp.Click(chromedp.CSS("#logout")))
	b.shows("signed out")
}

// noticesARevocation signs out everywhere with another browser.
func (b *browser) noticesARevocation() {
	b.t.Helper()
	b.signIn(b.tab)
	b.shows("live")
	elsewhere := recipe.NewJar(b.tab, b.t)
	b.signIn(elsewhere)
	chromium.Do(elsewhere, b.t, chromedp.Click(chromedp.CSS("#everywhere")))
	b.shows("signed out")
}

// connectsOnceAndGivesUp leaves it to the browser to connect again, without the page's own code: it does so once, gets the
// answer 204, and stays away.
func (b *browser) connectsOnceAndGivesUp() {
	b.t.Helper()
	b.signIn(b.tab)
	b.shows("live")
	chromium.Do(b.tab, b.t, chromedp.Evaluate[chromedp.Void](`
		errors = []
		bare = new EventSource("/news")
		bare.onerror = () => errors.push(bare.readyState)`))
	recipe.WaitUntil(b.tab, b.t, `bare.readyState === EventSource.OPEN`)
	chromium.Do(b.other, b.t, chromedp.Navigate(b.url), chromedp.Click(chromedp.CSS("#logout")))
	recipe.WaitUntil(b.tab, b.t, `bare.readyState === EventSource.CLOSED`)
	if got := chromium.Get(b.tab, b.t, chromedp.Evaluate[string](`errors.join()`)); got != "0,2" {
		b.t.Errorf("states after errors are %s, want 0,2: once connecting, then closed", got)
	}
}
