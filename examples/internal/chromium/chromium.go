// Package chromium drives a headless Chromium in tests.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Missing says how to get a browser.
const Missing = "no browser; get one with apt-get install chromium, or set CHROME_PATH"

// Find returns the path of Chromium, or "" if there is none. On CI that fails the test.
func Find(t *testing.T) (path string) {
	t.Helper()
	path = os.Getenv("CHROME_PATH")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal(Missing)
	}
	return path
}

// Start starts the Chromium at path with the profile in a directory. It runs until the test ends
// or closes it.
func Start(t *testing.T, path, profile string) (ctx context.Context, closeBrowser func() error) {
	t.Helper()
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(profile))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	closeBrowser = sync.OnceValue(func() error { return chromedp.Cancel(ctx) })
	t.Cleanup(func() { _ = closeBrowser(); cancel() })
	Do(ctx, t)
	return ctx, closeBrowser
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
