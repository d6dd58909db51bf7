// Package tests_test checks the adapter with what applications use beside it: chi, its middleware, and a websocket library.
package tests_test

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const visits = sessions.Key[int]("visits")

// newManager returns a manager on this store that writes no log; nil is a store in memory.
func newManager(t *testing.T, store sessions.Store) *sessions.Manager {
	t.Helper()
	m, err := sessions.NewManager(sessions.Options{
		Store: store, PurgeInterval: -1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// journal is the log of requests. Each entry is a status and whether there was a body.
type journal struct {
	mu      sync.Mutex
	entries []string
}

// NewLogEntry implements [middleware.LogFormatter].
func (j *journal) NewLogEntry(*http.Request) middleware.LogEntry { return j }

// Write implements [middleware.LogEntry].
func (j *journal) Write(status, size int, _ http.Header, _ time.Duration, _ any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, fmt.Sprint(status, " ", size > 0))
}

// Panic implements [middleware.LogEntry]. With an entry, Recoverer does not print the stack.
func (j *journal) Panic(any, []byte) {}

// last returns the last entry. It waits for one, because the response arrives before the middleware returns.
func (j *journal) last(t *testing.T) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if entries := j.all(); len(entries) > 0 {
			return entries[len(entries)-1]
		}
	}
	t.Fatal("nothing is logged")
	return ""
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// newRouter returns a router that logs requests into the journal and recovers from panics.
func newRouter(j *journal) *chi.Mux {
	r := chi.NewRouter()
	r.Use(middleware.RequestLogger(j), middleware.Recoverer)
	return r
}

// serve serves h on 127.0.0.1 until the test has ended, and writes nothing to the terminal.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

func increment(r *http.Request) int {
	return visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
}

// count increments the counter and answers with it.
func count(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strconv.Itoa(increment(r)))
}

// read answers with the counter.
func read(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strconv.Itoa(visits.Get(sessions.Get(r))))
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
}

// cookie returns the cookie that the response sets, as a request sends it, or "".
func (a *answer) cookie() string {
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}

// get sends a request, with a cookie where there is one, and reads its answer.
func get(t *testing.T, url, cookie string) *answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, string(text)}
}

// visitTwice visits the URL without a cookie and then with the one that it has set, and checks the bodies.
func visitTwice(t *testing.T, url, first, second string) {
	t.Helper()
	a := get(t, url, "")
	if a.body != first || len(a.header["Set-Cookie"]) != 1 {
		t.Errorf("answer is %d %q with cookies %q, want %q", a.status, a.body, a.header["Set-Cookie"], first)
	}
	if again := get(t, url, a.cookie()); again.body != second || again.cookie() != "" {
		t.Errorf("second answer is %q with cookie %q, want %q and none", again.body, again.cookie(), second)
	}
}

// newDown returns a manager whose store fails.
func newDown(t *testing.T) *sessions.Manager {
	t.Helper()
	store := sessiontest.NewStore(nil)
	store.Fail(sessiontest.Fault{})
	return newManager(t, store)
}
