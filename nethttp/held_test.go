package sessions_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// TestHeldHeader sends a response that caches may keep. It is held back for those who have presented a session, and for them
// its header is the same as for others: what is changed after WriteHeader counts for the trailer only.
func TestHeldHeader(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/count", count)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "<p>half a template")
		w.Header().Set("X-Late", "late")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Sum", "1")
	})
	url := serve(t, sessions.New(quiet(sessions.Options{}))(mux))
	res, _ := get(t, url+"/count", "")
	for _, cookie := range []string{"", cookieOf(res)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != "<p>half a template" || res.StatusCode != http.StatusAccepted {
			t.Errorf("with the cookie %q: %d %q, error %v", cookie, res.StatusCode, body, err)
		}
		_ = res.Body.Close()
		if kind := res.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
			t.Errorf("with the cookie %q the type is %s", cookie, kind)
		}
		if res.Header.Get("X-Late")+res.Header.Get("X-Sum") != "" || res.Trailer.Get("X-Sum") != "1" {
			t.Errorf("with the cookie %q: header %v, trailer %v", cookie, res.Header, res.Trailer)
		}
	}
}
