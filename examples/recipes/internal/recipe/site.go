package recipe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
)

// Serve serves a handler on a free port of this machine until the test ends. It returns the port.
func Serve(tb testing.TB, h http.Handler) (port string) {
	tb.Helper()
	server := httptest.NewServer(h)
	tb.Cleanup(server.Close)
	return portOf(tb, server)
}

// ServeTLS is like [Serve], over https. The browser has to ignore that nobody trusts the
// certificate.
func ServeTLS(tb testing.TB, h http.Handler) (port string) {
	tb.Helper()
	server := httptest.NewTLSServer(h)
	tb.Cleanup(server.Close)
	return portOf(tb, server)
}

func portOf(tb testing.TB, server *httptest.Server) string {
	tb.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	return port
}

// Page is a handler that answers each request with a page of HTML.
func Page(html string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,">` + html))
	})
}

// Cookies returns all that the tab's cookie jar holds, by name.
func Cookies(tab context.Context, t *testing.T) map[string]*network.Cookie {
	t.Helper()
	jar := chromedp.FromContext(tab).BrowserContextID
	params := storage.GetCookiesParams{BrowserContextID: jar}
	res, err := chromedp.CallBrowser(tab, storage.GetCookies, params)
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]*network.Cookie)
	for _, c := range res.Cookies {
		byName[c.Name] = c
	}
	return byName
}

// Await returns what a promise of JavaScript is worth, as text.
func Await(tab context.Context, t *testing.T, promise string) string {
	t.Helper()
	script := `(async () => String(await (` + promise + `)))()`
	return chromium.Get(tab, t, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
}
