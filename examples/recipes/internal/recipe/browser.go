package recipe

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const noBrowser = "no browser; get one with apt-get install chromium, or set CHROME_PATH"

// Browser starts Chromium until the test ends, and returns a tab with a cookie jar of its own.
// Where there is no Chromium, it skips the test; on CI it fails it.
func Browser(t *testing.T) (tab context.Context) {
	t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(findBrowser(t)),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	Do(ctx, t)
	return NewJar(ctx, t)
}

// findBrowser returns the path of Chromium.
func findBrowser(t *testing.T) (path string) {
	t.Helper()
	path = os.Getenv("CHROME_PATH")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	switch {
	case path == "" && os.Getenv("CI") == "true":
		t.Fatal(noBrowser)
	case path == "":
		t.Skip(noBrowser)
	}
	return path
}

// NewJar opens another tab with a cookie jar of its own, in the browser of tab, for five minutes
// at most.
func NewJar(tab context.Context, t *testing.T) context.Context {
	t.Helper()
	return open(tab, t, chromedp.WithNewBrowserContext())
}

// NewTab opens another tab with the cookie jar of tab, for five minutes at most.
func NewTab(tab context.Context, t *testing.T) context.Context {
	t.Helper()
	jar := chromedp.FromContext(tab).BrowserContextID
	return open(tab, t, chromedp.WithExistingBrowserContext(jar))
}

func open(tab context.Context, t *testing.T, o chromedp.ContextOption) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(tab, o)
	t.Cleanup(cancel)
	Do(tab, t)
	tab, cancel = context.WithTimeout(tab, 5*time.Minute)
	t.Cleanup(cancel)
	return tab
}

// Do runs the steps in the tab.
func Do(tab context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

// Get runs the action in the tab and returns its result.
func Get[T any](tab context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(tab, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// WaitUntil waits until the expression of JavaScript is true in the tab, also while that goes from
// page to page.
func WaitUntil(tab context.Context, t *testing.T, expression string) {
	t.Helper()
	Eventually(t, expression, func() bool {
		holds, err := chromedp.Run(tab, chromedp.Evaluate[bool](expression))
		if tab.Err() != nil {
			t.Fatalf("waited in vain until %s: %v", expression, err)
		}
		return err == nil && holds
	})
}
