package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

func quiet(o sessions.Options) sessions.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	o.PurgeInterval = -1
	return o
}

// newDown returns a manager whose store fails from now on, and the cookie of a session in that store.
func newDown(t *testing.T, o sessions.Options) (m *sessions.Manager, store *sessiontest.Store, cookie string) {
	t.Helper()
	store = sessiontest.NewStore(nil)
	o.Store = store
	m, err := sessions.NewManager(quiet(o))
	if err != nil {
		t.Fatal(err)
	}
	c := sessiontest.Cookie(t, m, func(s *sessions.Session) error { return visits.Set(s, 1) })
	store.Fail(sessiontest.Fault{})
	return m, store, c.Name + "=" + c.Value
}

// newManager returns a manager with a cookie of that name.
func newManager(t *testing.T, name string) *sessions.Manager {
	t.Helper()
	m, err := sessions.NewManager(quiet(sessions.Options{Cookie: sessions.Cookie{Name: name}}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func increment(r *http.Request) int {
	return visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
}

// count increments the counter and answers with it.
func count(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, increment(r)) }

// read answers with the counter.
func read(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, visits.Get(sessions.Get(r))) }

// answer is the head of a response.
type answer struct {
	StatusCode int
	Header     http.Header
}

// get sends a request, with a cookie where there is one, and reads its answer.
func get(t *testing.T, url, cookie string) (head *answer, body string) {
	t.Helper()
	head, body, err := try(t, url, cookie)
	if err != nil {
		t.Fatal(err)
	}
	return head, body
}

// try is get for a request that may get no answer.
func try(t *testing.T, url, cookie string) (head *answer, body string, err error) {
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
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return &answer{res.StatusCode, res.Header}, string(text), err
}

func cookieOf(res *answer) string {
	cookie, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return cookie
}

// counter returns a handler with sessions in which /count increments the counter and /read reads it.
func counter(m *sessions.Manager, more map[string]http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/count", count)
	mux.HandleFunc("/read", read)
	for pattern, h := range more {
		mux.HandleFunc(pattern, h)
	}
	return sessions.Middleware(m)(mux)
}

// buffering is a writer as compressing middleware has it: it holds the body back and sends another.
type buffering struct {
	http.ResponseWriter
	held bytes.Buffer
}

func (b *buffering) Write(p []byte) (int, error) { return b.held.Write(p) }

// shout sends the body in upper case.
func shout(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &buffering{ResponseWriter: w}
		next.ServeHTTP(b, r)
		_, _ = w.Write(bytes.ToUpper(b.held.Bytes()))
	})
}

// TestWrappedWriter mounts middleware that wraps the writer inside and outside the sessions.
func TestWrappedWriter(t *testing.T) {
	t.Parallel()
	session := sessions.New(quiet(sessions.Options{}))
	visit := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Commit(w, r); err != nil { // The header is that of the wrapper, too.
			t.Error(err)
		}
		_, _ = fmt.Fprint(w, "visit ", increment(r))
	})
	for name, h := range map[string]http.Handler{"inside": session(shout(visit)), "outside": shout(session(visit))} {
		url := serve(t, h)
		res, body := get(t, url, "")
		if body != "VISIT 1" || cookieOf(res) == "" {
			t.Errorf("%s: answer is %q with cookie %q", name, body, cookieOf(res))
		}
		if _, body := get(t, url, cookieOf(res)); body != "VISIT 2" {
			t.Errorf("%s: second answer is %q", name, body)
		}
	}
}

// TestErrorText answers a failed load and a failed commit with the text of the status, which tells nothing of the cause.
func TestErrorText(t *testing.T) {
	t.Parallel()
	m, _, known := newDown(t, sessions.Options{})
	url := serve(t, sessions.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" {
			t.Error("the handler runs after a failed load")
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "1")
		count(w, r)
	})))
	for _, cookie := range []string{"", known} {
		res, body := get(t, url, cookie)
		if res.StatusCode != http.StatusServiceUnavailable || body != "Service Unavailable\n" || cookieOf(res) != "" {
			t.Errorf("with cookie %q: answer is %d %q, cookie %q", cookie, res.StatusCode, body, cookieOf(res))
		}
		if kind := res.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
			t.Errorf("with cookie %q: Content-Type is %q", cookie, kind)
		}
		if caching := res.Header.Get("Cache-Control"); caching != "no-store" {
			t.Errorf("with cookie %q: Cache-Control is %q", cookie, caching)
		}
	}
}

// TestErrorStatus answers each error of a commit with its status.
func TestErrorStatus(t *testing.T) {
	t.Parallel()
	m, err := sessions.NewManager(quiet(sessions.Options{MaxSessions: 1, OnLimit: sessions.RefuseLogin, MaxSize: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, counter(m, map[string]http.HandlerFunc{
		"/login": func(_ http.ResponseWriter, r *http.Request) { _ = sessions.Get(r).Login("ann") },
		"/large": func(_ http.ResponseWriter, r *http.Request) {
			text := sessions.Key[string]("text")
			text.Update(sessions.Get(r), func(string) string { return strings.Repeat("x", 2000) })
		},
	}))
	for _, want := range []struct {
		path   string
		status int
	}{{"/login", 200}, {"/login", http.StatusConflict}, {"/large", http.StatusInternalServerError}} {
		res, body := get(t, url+want.path, "")
		if res.StatusCode != want.status || body != "" && body != http.StatusText(want.status)+"\n" {
			t.Errorf("%s: answer is %d %q, want %d", want.path, res.StatusCode, body, want.status)
		}
	}
}

// TestErrorLog looks for the cause of an error in the log of the server, where the manager has not logged it.
func TestErrorLog(t *testing.T) {
	t.Parallel()
	down, _, _ := newDown(t, sessions.Options{})
	tooLarge := func(_ http.ResponseWriter, r *http.Request) {
		text := sessions.Key[string]("text")
		text.Update(sessions.Get(r), func(string) string { return strings.Repeat("x", 1<<20) })
	}
	for name, test := range map[string]struct {
		manager *sessions.Manager
		handler http.HandlerFunc
		want    string
	}{
		"too large": {newManager(t, "session"), tooLarge, sessions.ErrTooLarge.Error()},
		"flushed": {newManager(t, "session"), func(w http.ResponseWriter, r *http.Request) {
			tooLarge(w, r)
			_ = http.NewResponseController(w).Flush()
		}, sessions.ErrTooLarge.Error()},
		"store down": {down, count, ""},
		"nothing":    {newManager(t, "session"), count, ""},
	} {
		var logged strings.Builder
		mux := http.NewServeMux()
		mux.HandleFunc("GET /page", test.handler)
		server := httptest.NewUnstartedServer(sessions.Middleware(test.manager)(mux))
		server.Config.ErrorLog = log.New(&logged, "", 0)
		server.Start()
		get(t, server.URL+"/page", "")
		server.Close() // It waits for the end of the request.
		if got := logged.String(); (got != "") != (test.want != "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: the log says %q, want %q", name, got, test.want)
		}
		if logged.Len() > 0 && !strings.HasSuffix(logged.String(), "(GET /page)\n") {
			t.Errorf("%s: the log says %q, without the route", name, logged.String())
		}
	}
}

// TestLoadFailed lets the handler of a lazy session answer a failed load itself.
func TestLoadFailed(t *testing.T) {
	t.Parallel()
	m, _, known := newDown(t, sessions.Options{Lazy: true})
	h := sessions.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := sessions.FromContext(r.Context()); ok {
			t.Errorf("FromContext returned %v", s)
		}
		if _, err := sessions.Load(r); err != nil {
			http.Error(w, "sorry", core.StatusCode(err))
		}
	}))
	if res, body := get(t, serve(t, h), known); res.StatusCode != http.StatusServiceUnavailable || body != "sorry\n" {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
}

// TestCommitFailed has a handler answer the error of Commit with a page of its own: the page goes out, once, and nothing is
// saved a second time, not even if the store is well again.
func TestCommitFailed(t *testing.T) {
	t.Parallel()
	m, store, cookie := newDown(t, sessions.Options{})
	h := sessions.Middleware(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := visits.Set(sessions.Get(r), 5); err != nil {
			t.Error(err)
		}
		store.Fail(sessiontest.Fault{})
		err := sessions.Commit(w, r)
		if !errors.Is(err, sessions.ErrStore) {
			t.Errorf("Commit returned %v, want ErrStore", err)
		}
		if r.URL.Path == "/mended" {
			store.Heal()
		}
		http.Error(w, "sorry", core.StatusCode(err))
	}))
	url := serve(t, h)
	for _, tc := range []struct{ path, cookie, want string }{
		{"/", cookie, "sorry\n"},
		{"/mended", cookie, "sorry\n"},
		{"/", "", "sorry\n"},
		{"/mended", "", "sorry\n"},
	} {
		store.Heal()
		res, body := get(t, url+tc.path, tc.cookie)
		if res.StatusCode != http.StatusServiceUnavailable || body != tc.want {
			t.Errorf("%s: answer is %d %q, want 503 %q", tc.path, res.StatusCode, body, tc.want)
		}
		if got := res.Header["Set-Cookie"]; got != nil {
			t.Errorf("%s: Set-Cookie is %q, want none", tc.path, got)
		}
		store.Heal()
		if n, err := m.Count(t.Context()); err != nil || n != 1 {
			t.Errorf("%s: there are %d records, %v, want the stored session alone", tc.path, n, err)
		}
	}
	_, body := get(t, serve(t, sessions.Middleware(m)(http.HandlerFunc(read))), cookie)
	if body != "1" {
		t.Errorf("the stored session holds %q, want 1", body)
	}
}

// TestFromContext finds the session where only the context is at hand, and nothing in other contexts.
func TestFromContext(t *testing.T) {
	t.Parallel()
	if s, ok := sessions.FromContext(t.Context()); ok || s != nil {
		t.Errorf("without middleware FromContext returned %v, %v", s, ok)
	}
	h := sessions.New(quiet(sessions.Options{}))(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if s, ok := sessions.FromContext(ctx); !ok || s != sessions.Get(r) {
			t.Errorf("FromContext returned %v, %v", s, ok)
		}
	}))
	get(t, serve(t, h), "")
}

// TestGetBetween has middleware between two of the sessions': there only the outer session is in the request.
func TestGetBetween(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	between := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if sessions.Get(r) != sessions.GetFrom(r, outer) {
				t.Error("before the inner middleware Get is not the outer session")
			}
			next.ServeHTTP(w, r)
			if sessions.Get(r) != sessions.GetFrom(r, outer) {
				t.Error("after the inner middleware Get is not the outer session")
			}
		})
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sessions.Get(r) != sessions.GetFrom(r, inner) || sessions.Get(r) == sessions.GetFrom(r, outer) {
			t.Error("in the handler Get is not the inner session")
		}
		w.WriteHeader(http.StatusNoContent)
	})
	url := serve(t, sessions.Middleware(outer)(between(sessions.Middleware(inner)(h))))
	if res, _ := get(t, url, ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestSubrequest has a handler serve a part of its page through the same mux into a buffer: the session is the same, and its
// cookie is in the response that goes out.
func TestSubrequest(t *testing.T) {
	t.Parallel()
	m := newManager(t, "session")
	mux := http.NewServeMux()
	h := sessions.Middleware(m)(mux)
	mux.HandleFunc("/count", count)
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		part := r.Clone(r.Context())
		part.URL.Path = "/count"
		buffer := httptest.NewRecorder()
		h.ServeHTTP(buffer, part)
		if len(buffer.Result().Cookies()) > 0 {
			t.Error("the part has a cookie of its own")
		}
		_, _ = fmt.Fprintf(w, "%s and %d", buffer.Body, increment(r))
	})
	res, body := get(t, serve(t, h)+"/page", "")
	if body != "1 and 2" || cookieOf(res) == "" {
		t.Errorf("answer is %q with cookie %q", body, cookieOf(res))
	}
}

// TestAbortHandler aborts the response with the panic that net/http knows: nothing is saved, and the client gets no answer.
func TestAbortHandler(t *testing.T) {
	t.Parallel()
	url := serve(t, counter(newManager(t, "session"), map[string]http.HandlerFunc{
		"/abort": func(_ http.ResponseWriter, r *http.Request) {
			increment(r)
			panic(http.ErrAbortHandler)
		},
		"/late": func(w http.ResponseWriter, r *http.Request) {
			increment(r)
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			increment(r)
			panic(http.ErrAbortHandler)
		},
	}))
	res, _ := get(t, url+"/count", "")
	cookie := cookieOf(res)
	if res, body, err := try(t, url+"/abort", cookie); err == nil {
		t.Errorf("the aborted response is %v %q", res, body)
	}
	if _, body := get(t, url+"/read", cookie); body != "1" {
		t.Errorf("after the abort the session holds %q, want 1", body)
	}
	if _, body, err := try(t, url+"/late", cookie); err == nil || body != "begun" {
		t.Errorf("the response that is aborted later is %q, %v", body, err)
	}
	if _, body := get(t, url+"/read", cookie); body != "2" {
		t.Errorf("after the later abort the session holds %q, want 2", body)
	}
}

// TestNoHandler wraps nothing, which fails at the start and not at the first request.
func TestNoHandler(t *testing.T) {
	t.Parallel()
	defer func() {
		if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "sessions: ") || !strings.Contains(text, "http.Handler") {
			t.Errorf("panicked with %q", text)
		}
	}()
	sessions.New(sessions.Options{})(nil)
}

// TestNewPanics shows that impossible options stop the program at its start, with a sentence.
func TestNewPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "sessions: ") {
			t.Errorf("New panicked with %v", err)
		}
	}()
	sessions.New(sessions.Options{Expiry: -5})
}
