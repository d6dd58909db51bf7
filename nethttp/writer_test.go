package sessions_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// withSession returns a handler with a session that exists, so that it has a cookie to send.
func withSession(h func(w http.ResponseWriter, r *http.Request)) http.Handler {
	return sessions.New(quiet(sessions.Options{}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		increment(r)
		h(w, r)
	}))
}

// TestResponseController shows that everything that the controller of net/http offers works through the writer.
func TestResponseController(t *testing.T) {
	t.Parallel()
	h := withSession(func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		deadline := time.Now().Add(time.Minute)
		err := errors.Join(control.SetReadDeadline(deadline), control.SetWriteDeadline(deadline),
			control.EnableFullDuplex(), control.Flush())
		_, _ = io.WriteString(w, "err: ")
		if err != nil {
			_, _ = io.WriteString(w, err.Error())
		}
	})
	res, body := get(t, serve(t, h), "")
	if body != "err: " || cookieOf(res) == "" {
		t.Errorf("answer is %q with cookie %q", body, cookieOf(res))
	}
}

// TestHijack takes over the connection of a session that needs no cookie.
func TestHijack(t *testing.T) {
	t.Parallel()
	url := serve(t, counter(newManager(t, "session"), map[string]http.HandlerFunc{
		"/hijack": func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			conn, buffer, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			increment(r)
			_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
			_ = buffer.Flush()
		},
	}))
	res, _ := get(t, url+"/count", "")
	cookie := cookieOf(res)
	if _, body := get(t, url+"/hijack", cookie); body != "mine" {
		t.Errorf("answer is %q", body)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, body := get(t, url+"/read", cookie) // The handler may not have returned yet.
		if body == "3" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session holds %q, want 3", body)
		}
	}
}

// TestHijackWithoutCommit shows that a session whose cookie could not be sent is refused, not stored.
func TestHijackWithoutCommit(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	failed := make(chan error, 1)
	h := sessions.New(quiet(sessions.Options{Store: store}))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		increment(r)
		_, _, err := http.NewResponseController(w).Hijack()
		failed <- err
	}))
	res, _ := get(t, serve(t, h), "")
	if err := <-failed; !errors.Is(err, sessions.ErrLate) {
		t.Errorf("Hijack returned %v, want ErrLate", err)
	}
	if res.StatusCode != http.StatusInternalServerError || store.Len() != 0 {
		t.Errorf("status is %d with %d records, want 500 and none", res.StatusCode, store.Len())
	}
}

// TestUnwrap shows that the writer of the server can be found below.
func TestUnwrap(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	h := withSession(func(w http.ResponseWriter, _ *http.Request) {
		for {
			u, ok := w.(interface{ Unwrap() http.ResponseWriter })
			if !ok {
				break
			}
			w = u.Unwrap()
		}
		if w != http.ResponseWriter(recorder) {
			t.Errorf("found a %T at the bottom", w)
		}
	})
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
}

// TestPush pushes over HTTP/2 as far as the client allows, and says so where the server cannot.
func TestPush(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	h := withSession(func(w http.ResponseWriter, _ *http.Request) {
		failed <- w.(http.Pusher).Push("/style.css", nil)
	})
	get(t, serve(t, h), "")
	if err := <-failed; !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("Push over HTTP/1.1 returned %v", err)
	}
	pushed := &pusher{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(pushed, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if err := <-failed; err != nil || pushed.target != "/style.css" {
		t.Errorf("Push pushed %q and returned %v", pushed.target, err)
	}
}

type pusher struct {
	*httptest.ResponseRecorder
	target string
}

func (p *pusher) Push(target string, _ *http.PushOptions) error {
	p.target = target
	return nil
}

// copied is a writer that notes what is copied into it, as the server's writer passes files to the kernel.
type copied struct {
	*httptest.ResponseRecorder
	from []io.Reader
}

func (c *copied) ReadFrom(r io.Reader) (int64, error) {
	c.from = append(c.from, r)
	return io.Copy(c.ResponseRecorder, r)
}

// TestReaderFrom shows that a file reaches the ReadFrom method of the server, which sends it without copying, and that the
// session is committed first. There it is a file, or a part of one.
func TestReaderFrom(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "page.txt")
	if err := os.WriteFile(name, []byte("the page"), 0o600); err != nil {
		t.Fatal(err)
	}
	for title, send := range map[string]func(w http.ResponseWriter, r *http.Request){
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) },
		"FileServer": func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/page.txt"
			http.FileServer(http.Dir(filepath.Dir(name))).ServeHTTP(w, r)
		},
		"Copy": func(w http.ResponseWriter, _ *http.Request) {
			f, err := os.Open(name) //nolint:gosec // The test's own file.
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = f.Close() }()
			_, _ = io.Copy(w, f)
		},
	} {
		w := &copied{ResponseRecorder: httptest.NewRecorder()}
		withSession(send).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if w.Body.String() != "the page" || w.Header().Get("Set-Cookie") == "" {
			t.Errorf("%s: answer is %q with cookie %q", title, w.Body, w.Header().Get("Set-Cookie"))
		}
		if len(w.from) != 1 || !isFile(w.from[0]) {
			t.Errorf("%s: the server is to copy from %T, want a file", title, w.from)
		}
	}
}

// isFile reports whether r is a file or a part of one, in the forms that the server's ReadFrom looks for.
func isFile(r io.Reader) bool {
	if limited, ok := r.(*io.LimitedReader); ok {
		r = limited.R
	}
	_, ok := r.(interface {
		io.Reader
		SetReadDeadline(t time.Time) error // of os.File, also where it has been wrapped
	})
	return ok
}

// TestServeContent serves a file over a connection: whole, in part, not modified, and its head.
func TestServeContent(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "page.txt")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := serve(t, withSession(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		http.ServeFile(w, r, name)
	}))
	for _, test := range []struct {
		method, field, value string
		status               int
		body                 string
	}{
		{http.MethodGet, "", "", http.StatusOK, "0123456789"},
		{http.MethodGet, "Range", "bytes=2-4", http.StatusPartialContent, "234"},
		{http.MethodGet, "If-None-Match", `"one"`, http.StatusNotModified, ""},
		{http.MethodHead, "", "", http.StatusOK, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if test.field != "" {
			r.Header.Set(test.field, test.value)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != test.status || string(body) != test.body || len(res.Cookies()) != 1 {
			t.Errorf("%v: answer is %d %q with %d cookies, %v", test, res.StatusCode, body, len(res.Cookies()), err)
		}
	}
}

// TestEarlyHints sends two responses ahead of the response, of which only that has the cookie.
func TestEarlyHints(t *testing.T) {
	t.Parallel()
	url := serve(t, withSession(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		increment(r)
		_, _ = io.WriteString(w, "body")
	}))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")
	in := bufio.NewReader(conn)
	for _, want := range []int{http.StatusEarlyHints, http.StatusProcessing, http.StatusOK} {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want || (len(res.Cookies()) > 0) != (want == http.StatusOK) {
			t.Errorf("response is %d with %d cookies, want %d", res.StatusCode, len(res.Cookies()), want)
		}
	}
}

// TestFlushFailed has a handler that streams go on after the store has failed: the error status goes out at the first flush.
func TestFlushFailed(t *testing.T) {
	t.Parallel()
	m, _, _ := newDown(t, sessions.Options{})
	h := sessions.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		increment(r)
		if err := http.NewResponseController(w).Flush(); !errors.Is(err, sessions.ErrStore) {
			t.Errorf("Flush returned %v, want ErrStore", err)
		}
		if _, err := io.WriteString(w, "event"); !errors.Is(err, sessions.ErrStore) {
			t.Errorf("WriteString returned %v, want ErrStore", err)
		}
	}))
	if res, body := get(t, serve(t, h), ""); res.StatusCode != http.StatusServiceUnavailable || body != "" {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
}
