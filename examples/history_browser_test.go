package examples_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cloakroom-go/sessions/examples/internal/chromium"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// bank serves a page with the balance of who is signed in.
func bank(t *testing.T, o sessions.Options) string {
	t.Helper()
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, id, text string) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<p id=%s>%s</p>", id, text)
	}
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Get(r).Login("alice"); err != nil {
			t.Error(err)
		}
		page(w, "login", "welcome")
	})
	mux.HandleFunc("/account", func(w http.ResponseWriter, r *http.Request) {
		if sessions.Get(r).Subject() == "" {
			page(w, "account", "sign in")
			return
		}
		page(w, "account", "balance")
	})
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		sessions.Get(r).Destroy()
		page(w, "logout", "goodbye")
	})
	o.Logger, o.Cookie.DisableSecure = slog.New(slog.DiscardHandler), true
	server := httptest.NewServer(sessions.New(o)(mux))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// TestBackAfterLogout goes back in the history of the browser after a logout: the page of the account is not there any more
// with NoStoreSignedIn, and is without.
func TestBackAfterLogout(t *testing.T) {
	t.Parallel()
	open := browser(t)
	for name, test := range map[string]struct {
		o    sessions.Options
		want string
	}{
		"default": {sessions.Options{}, "balance"},
		"option":  {sessions.Options{NoStoreSignedIn: true}, "sign in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, tab := bank(t, test.o), open(t)
			for _, step := range []struct{ id, want string }{
				{"login", "welcome"}, {"account", "balance"}, {"logout", "goodbye"},
			} {
				chromium.Do(tab, t, chromedp.Navigate(url+"/"+step.id))
				if shown := text(tab, t, chromedp.CSS("#"+step.id)); shown != step.want {
					t.Fatalf("%s shows %q, want %q", step.id, shown, step.want)
				}
			}
			if shown := goBack(tab, t, "#account"); shown != test.want {
				t.Errorf("back after the logout shows %q, want %q", shown, test.want)
			}
		})
	}
}
