package sessions_test

import (
	"fmt"
	"net/http"
	"testing"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// visitTwice visits the URL without a cookie and then with the one that it has set, and checks the bodies.
func visitTwice(t *testing.T, url, first, second string) {
	t.Helper()
	res, body := get(t, url, "")
	if body != first || cookieOf(res) == "" || len(res.Header["Set-Cookie"]) != 1 {
		t.Errorf("answer is %d %q with cookies %q, want %q", res.StatusCode, body, res.Header["Set-Cookie"], first)
	}
	if _, body := get(t, url, cookieOf(res)); body != second {
		t.Errorf("second answer is %q, want %q", body, second)
	}
}

// TestMux mounts the sessions on a mux, on one of its routes, on both, and on a mux within it.
func TestMux(t *testing.T) {
	t.Parallel()
	m := newManager(t, "session")
	session := sessions.Middleware(m)
	named := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s by %s: %d", r.PathValue("name"), r.Pattern, increment(r)) //nolint:gosec // The test's own path.
	})
	routes := func(h http.Handler) *http.ServeMux {
		mux := http.NewServeMux()
		mux.Handle("GET /user/{name}", h)
		return mux
	}
	inner := http.NewServeMux()
	inner.Handle("/site/", http.StripPrefix("/site", session(routes(named))))
	for name, test := range map[string]struct {
		handler http.Handler
		path    string
	}{
		"mux":         {session(routes(named)), "/user/ann"},
		"route":       {routes(session(named)), "/user/ann"},
		"twice":       {session(routes(session(session(named)))), "/user/ann"},
		"StripPrefix": {inner, "/site/user/ann"},
		"outside":     {session(inner), "/site/user/ann"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, test.handler)
			visitTwice(t, url+test.path, "ann by GET /user/{name}: 1", "ann by GET /user/{name}: 2")
			for method, want := range map[string]int{http.MethodPost: http.StatusMethodNotAllowed, http.MethodHead: http.StatusOK} {
				r, err := http.NewRequestWithContext(t.Context(), method, url+test.path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				res, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != want || (len(res.Cookies()) > 0) != (want == http.StatusOK) {
					t.Errorf("%s: status %d with %d cookies, want %d", method, res.StatusCode, len(res.Cookies()), want)
				}
			}
		})
	}
}

// TestPattern shows that middleware outside the sessions sees the pattern of the mux inside, as metrics and logs need it.
func TestPattern(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user/{name}", count)
	mux.HandleFunc("GET /panic/{name}", func(http.ResponseWriter, *http.Request) { panic("handler") })
	h := sessions.Middleware(newManager(t, "outer"))(sessions.Middleware(newManager(t, "inner"))(mux))
	patterns := make(chan string, 1)
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { patterns <- r.Pattern }()
		recovery(h).ServeHTTP(w, r)
	}))
	for path, want := range map[string]string{
		"/user/ann": "GET /user/{name}", "/panic/ann": "GET /panic/{name}", "/nowhere": "",
	} {
		get(t, url+path, "")
		if got := <-patterns; got != want {
			t.Errorf("%s: the pattern outside is %q, want %q", path, got, want)
		}
	}
}
