package tests_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// orders returns the orders in which a middleware and the sessions can be mounted.
func orders(session, other func(http.Handler) http.Handler) map[string][]func(http.Handler) http.Handler {
	return map[string][]func(http.Handler) http.Handler{"inside": {session, other}, "outside": {other, session}}
}

// TestRecoverer has Recoverer answer a panic: outside the sessions nothing is saved, inside what was changed is.
func TestRecoverer(t *testing.T) {
	t.Parallel()
	for name, saved := range map[string]int{"inside": 1, "outside": 0} {
		store, j := memstore.New(memstore.Options{}), &journal{}
		r := chi.NewRouter()
		r.Use(middleware.RequestLogger(j))
		r.Use(orders(sessions.Middleware(newManager(t, store)), middleware.Recoverer)[name]...)
		r.Get("/panic", func(_ http.ResponseWriter, r *http.Request) {
			increment(r)
			panic("handler")
		})
		a := get(t, serve(t, r)+"/panic", "")
		if a.status != http.StatusInternalServerError || store.Len() != saved || (a.cookie() != "") != (saved == 1) {
			t.Errorf("%s: answer is %d with cookie %q and %d records, want 500 and %d", name, a.status, a.cookie(), store.Len(), saved)
		}
		if got := j.last(t); got != "500 false" {
			t.Errorf("%s: the log says %q", name, got)
		}
	}
}

// TestAbort shows that the panic that aborts a response passes the sessions and Recoverer.
func TestAbort(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	r := newRouter(&journal{})
	r.Use(sessions.Middleware(newManager(t, store)))
	r.Get("/", func(_ http.ResponseWriter, r *http.Request) {
		increment(r)
		panic(http.ErrAbortHandler)
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, serve(t, r), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultTransport.RoundTrip(req); err == nil {
		_ = res.Body.Close()
		t.Errorf("the aborted response has the status %d", res.StatusCode)
	}
	if store.Len() != 0 {
		t.Errorf("%d records, want none", store.Len())
	}
}

// getCompressed is get that accepts gzip and says whether it got that.
func getCompressed(t *testing.T, url, cookie string) (a *answer, compressed bool) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Cookie", cookie)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body io.Reader = res.Body
	compressed = res.Header.Get("Content-Encoding") == "gzip"
	if compressed {
		if body, err = gzip.NewReader(res.Body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, string(text)}, compressed
}

// TestCompress compresses the responses of sessions, and those that replace them when the store fails.
func TestCompress(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "visit "+strconv.Itoa(increment(r)))
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, strings.Repeat(".", 100))
	}
	for name := range orders(nil, nil) {
		serveWith := func(m *sessions.Manager) string {
			r := newRouter(&journal{})
			r.Use(orders(sessions.Middleware(m), middleware.Compress(5))[name]...)
			r.Get("/", page)
			return serve(t, r)
		}
		url, cookie := serveWith(newManager(t, nil)), ""
		for n := range 2 {
			a, compressed := getCompressed(t, url, cookie)
			if want := fmt.Sprint("visit ", n+1, strings.Repeat(".", 100)); a.body != want || !compressed {
				t.Errorf("%s: answer is %q, compressed: %v", name, a.body, compressed)
			}
			if vary := strings.Join(a.header["Vary"], ", "); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept-Encoding") {
				t.Errorf("%s: Vary is %q", name, vary)
			}
			if cookie == "" {
				cookie = a.cookie()
			}
		}
		a, _ := getCompressed(t, serveWith(newDown(t)), "")
		if a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "visit") || a.cookie() != "" {
			t.Errorf("%s: without a store the answer is %d %q with cookie %q", name, a.status, a.body, a.cookie())
		}
	}
}

// TestCompressedError reads the text of the error that replaces a compressed response.
func TestCompressedError(t *testing.T) {
	t.Parallel()
	for name := range orders(nil, nil) {
		r := newRouter(&journal{})
		r.Use(orders(sessions.Middleware(newDown(t)), middleware.Compress(5))[name]...)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			count(w, r)
		})
		a, compressed := getCompressed(t, serve(t, r), "")
		if a.status != http.StatusServiceUnavailable || a.body != "Service Unavailable\n" || compressed != (name == "outside") {
			t.Errorf("%s: answer is %d %q, compressed: %v", name, a.status, a.body, compressed)
		}
	}
}

// TestTimeout has chi's timeout, which only ends the context, answer in place of a handler: its changes are saved.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, chain := range orders(sessions.Middleware(newManager(t, nil)), middleware.Timeout(time.Millisecond)) {
		r := newRouter(&journal{})
		r.Use(chain...)
		r.Get("/read", read)
		r.Get("/slow", func(_ http.ResponseWriter, r *http.Request) {
			increment(r)
			<-r.Context().Done()
		})
		url := serve(t, r)
		a := get(t, url+"/slow", "")
		if a.status != http.StatusGatewayTimeout || a.cookie() == "" {
			t.Errorf("%s: answer is %d with cookie %q", name, a.status, a.cookie())
		}
	}
}

// TestWrapResponseWriter has chi's wrapper, on which loggers and metrics of many authors stand, inside and outside the
// sessions: it sees status and size, also of a response that is replaced.
func TestWrapResponseWriter(t *testing.T) {
	t.Parallel()
	for name := range orders(nil, nil) {
		for _, down := range []bool{false, true} {
			j, m := &journal{}, newManager(t, nil)
			if down {
				m = newDown(t)
			}
			r := chi.NewRouter()
			r.Use(orders(sessions.Middleware(m), middleware.RequestLogger(j))[name]...)
			r.Get("/", func(w http.ResponseWriter, r *http.Request) {
				increment(r)
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, "created")
			})
			a, want := get(t, serve(t, r), ""), answer{status: http.StatusCreated, body: "created"}
			if down {
				want = answer{status: http.StatusServiceUnavailable, body: "Service Unavailable\n"}
			}
			if a.status != want.status || a.body != want.body || (a.cookie() == "") != down {
				t.Errorf("%s: answer is %d %q with cookie %q", name, a.status, a.body, a.cookie())
			}
			logged := fmt.Sprint(want.status, " true")
			if name == "inside" && down {
				logged = "201 false" // It sees what the handler sent, none of which went out.
			}
			if got := j.last(t); got != logged {
				t.Errorf("%s: the log says %q, want %q", name, got, logged)
			}
		}
	}
}

// TestWrapResponseWriterAbilities uses what chi's wrapper has found in our writer: a flush, a hijack and a copy.
func TestWrapResponseWriterAbilities(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.txt")
	if err := os.WriteFile(file, []byte("the page"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, chain := range orders(sessions.Middleware(newManager(t, nil)), middleware.RequestLogger(&journal{})) {
		r := chi.NewRouter()
		r.Use(chain...)
		r.Get("/file", func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Errorf("%s: the writer is no io.ReaderFrom", name)
			}
			increment(r)
			http.ServeFile(w, r, file)
		})
		r.Get("/flush", func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "flushed")
		})
		r.Get("/hijack", func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			err := sessions.Commit(w, r)
			conn, buffer, hijackErr := w.(http.Hijacker).Hijack()
			if err = errors.Join(err, hijackErr); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n")
			_ = w.Header().Write(buffer)
			_, _ = buffer.WriteString("\r\nmine")
			_ = buffer.Flush()
		})
		url := serve(t, r)
		for path, body := range map[string]string{"/file": "the page", "/flush": "flushed", "/hijack": "mine"} {
			if a := get(t, url+path, ""); a.status != http.StatusOK || a.body != body || a.cookie() == "" {
				t.Errorf("%s: %s is answered %d %q with cookie %q", name, path, a.status, a.body, a.cookie())
			}
		}
	}
}

// TestTee has chi's wrapper keep a copy of the body and send another in its place, as caches and rewriters do.
func TestTee(t *testing.T) {
	t.Parallel()
	shout := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			wrapped.Tee(&body)
			wrapped.Discard()
			next.ServeHTTP(wrapped, r)
			w.WriteHeader(wrapped.Status())
			_, _ = w.Write(bytes.ToUpper(body.Bytes()))
		})
	}
	for _, chain := range orders(sessions.Middleware(newManager(t, nil)), shout) {
		r := newRouter(&journal{})
		r.Use(chain...)
		r.Get("/", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "visit "+strconv.Itoa(increment(r)))
		})
		visitTwice(t, serve(t, r), "VISIT 1", "VISIT 2")
	}
}

// TestHTTP2 uses chi's wrapper for HTTP/2, which passes pushes on.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	r := newRouter(&journal{})
	r.Use(sessions.Middleware(newManager(t, nil)), middleware.RequestLogger(&journal{}))
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		increment(r)
		if err := w.(http.Pusher).Push("/style.css", nil); err == nil {
			t.Error("the client takes no pushes, but Push returned no error")
		}
		if r.ProtoMajor != 2 {
			t.Errorf("the request came by %s", r.Proto)
		}
		_, _ = io.WriteString(w, "pushed")
	})
	server := httptest.NewUnstartedServer(r)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := bufio.NewReader(res.Body).ReadString(0)
	if !errors.Is(err, io.EOF) || body != "pushed" || len(res.Cookies()) != 1 {
		t.Errorf("answer is %q with cookies %v, %v", body, res.Cookies(), err)
	}
}
