package recipe

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// Browser starts Chromium until the test ends, and returns a tab with a cookie jar of its own.
// Where there is no Chromium, it skips the test; on CI it fails it.
func Browser(t *testing.T) (tab context.Context) {
	t.Helper()
	path := chromium.Find(t)
	if path == "" {
		t.Skip(chromium.Missing)
	}
	ctx, _ := chromium.Start(t, path, t.TempDir())
	return NewJar(ctx, t)
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
	chromium.Do(tab, t)
	tab, cancel = context.WithTimeout(tab, 5*time.Minute)
	t.Cleanup(cancel)
	return tab
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
