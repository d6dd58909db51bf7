package sessions_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const visits = sessions.Key[int]("visits")

// discard is a response writer that allocates nothing of its own.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header               { return d.header }
func (d *discard) Write(b []byte) (int, error)       { return len(b), nil }
func (d *discard) WriteString(s string) (int, error) { return len(s), nil }
func (d *discard) WriteHeader(int)                   {}

// allocations returns how often one request allocates.
func allocations(h http.Handler, cookie string) float64 {
	w := &discard{http.Header{}}
	r := &http.Request{Method: http.MethodGet, URL: mustParse("/"), Header: http.Header{}, Body: http.NoBody}
	if cookie != "" {
		r.Header["Cookie"] = []string{cookie}
	}
	return testing.AllocsPerRun(5000, func() {
		clear(w.header)
		h.ServeHTTP(w, r)
	})
}

// TestAllocations bounds what a session adds to the bare mux with the same handler.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	read := func(s *sessions.Session) {
		if visits.Get(s) == 0 {
			t.Error("the cookie leads to no session")
		}
	}
	for name, test := range map[string]struct {
		use    func(s *sessions.Session)
		cookie bool
		limit  float64
	}{
		"untouched without a cookie": {nil, false, 1},
		"untouched with a cookie":    {nil, true, 2},
		"read one key":               {read, true, 2},
		"increment":                  {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, true, 7},
		"new session":                {func(s *sessions.Session) { visits.Update(s, func(n int) int { return n + 1 }) }, false, 10},
	} {
		with, cookie := application(t, test.use)
		if !test.cookie {
			cookie = ""
		}
		got := allocations(with, cookie) - allocations(bare(), cookie)
		if got > test.limit {
			t.Errorf("%s: %v allocations beyond the mux's, want at most %v", name, got, test.limit)
		}
		t.Logf("%s: %v allocations", name, got)
	}
}

// application returns an application with sessions, and the cookie of a session in it.
func application(t *testing.T, use func(s *sessions.Session)) (h http.Handler, cookie string) {
	t.Helper()
	m, err := sessions.NewManager(sessions.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /first", func(_ http.ResponseWriter, r *http.Request) {
		_ = visits.Set(sessions.Get(r), 1)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if use != nil {
			use(sessions.Get(r))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	h = sessions.Middleware(m)(mux)
	w := &discard{http.Header{}}
	first := &http.Request{Method: http.MethodGet, URL: mustParse("/first"), Header: http.Header{}, Body: http.NoBody}
	h.ServeHTTP(w, first)
	cookie, _, _ = strings.Cut(w.header.Get("Set-Cookie"), ";")
	return h, cookie
}

// bare returns the same application without sessions.
func bare() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func mustParse(path string) *url.URL { return &url.URL{Path: path} }
