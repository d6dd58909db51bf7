package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// outage is a store that saves and loads nothing.
type outage struct{ *memstore.Store }

var errDown = errors.New("connection refused")

func (outage) Load(context.Context, string) (core.Record, error) { return core.Record{}, errDown }

func (outage) Save(context.Context, core.Record) (core.Record, error) { return core.Record{}, errDown }

func quiet(o sessions.Options) sessions.Options {
	o.Logger = slog.New(slog.DiscardHandler)
	return o
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

func increment(c *echo.Context) int {
	return visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
}

// answer is the head of a response.
type answer struct {
	StatusCode int
	Header     http.Header
}

// get sends a request, with a cookie where there is one, and reads its answer.
func get(t *testing.T, url, cookie string) (head *answer, body string) {
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
	return &answer{res.StatusCode, res.Header}, string(text)
}

func cookieOf(res *answer) string {
	cookie, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return cookie
}

// TestH2ResponseController shows that the controller of net/http works through the writer.
func TestH2ResponseController(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error {
		control := http.NewResponseController(c.Response())
		increment(c)
		err := errors.Join(control.SetWriteDeadline(time.Now().Add(time.Minute)), control.Flush())
		_, _ = io.WriteString(c.Response(), "err: ")
		if err != nil {
			_, _ = io.WriteString(c.Response(), err.Error())
		}
		return nil
	})
	res, body := get(t, serve(t, e), "")
	if body != "err: " || cookieOf(res) == "" {
		t.Errorf("answer is %q with cookie %q", body, cookieOf(res))
	}
}

// TestH2ReaderFrom shows that a copy into the writer commits first.
func TestH2ReaderFrom(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		if _, err := responseOf(c).ResponseWriter.(io.ReaderFrom).ReadFrom(strings.NewReader("copied")); err != nil {
			t.Error(err)
		}
		return nil
	})
	res, body := get(t, serve(t, e), "")
	if body != "copied" || cookieOf(res) == "" {
		t.Errorf("answer is %q with cookie %q", body, cookieOf(res))
	}
}

// TestH2Unwrap shows that the writer of the server can be found below.
func TestH2Unwrap(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	recorder := httptest.NewRecorder()
	e.GET("/", func(c *echo.Context) error {
		w := c.Response()
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
		return nil
	})
	e.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
}

// TestH2HijackWithoutCommit shows that a session which nobody could send the cookie of is refused, not stored.
func TestH2HijackWithoutCommit(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	failed := make(chan error, 1)
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{Store: store})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		_, _, err := http.NewResponseController(c.Response()).Hijack()
		failed <- err
		return nil
	})
	res, _ := get(t, serve(t, e), "")
	if err := <-failed; !errors.Is(err, sessions.ErrLate) {
		t.Errorf("Hijack returned %v, want ErrLate", err)
	}
	if res.StatusCode != http.StatusInternalServerError || store.Len() != 0 {
		t.Errorf("status is %d with %d records, want 500 and none", res.StatusCode, store.Len())
	}
}

// buffering is a writer as compressing middleware has it: it holds the body back and sends another.
type buffering struct {
	http.ResponseWriter
	held bytes.Buffer
}

func (b *buffering) Write(p []byte) (int, error) { return b.held.Write(p) }

// shout sends the body in upper case.
func shout(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		b := &buffering{ResponseWriter: c.Response()}
		c.SetResponse(b)
		err := next(c)
		c.SetResponse(b.ResponseWriter)
		_, _ = b.ResponseWriter.Write(bytes.ToUpper(b.held.Bytes()))
		return err
	}
}

// TestH2WrappedWriter mounts middleware that wraps the writer inside and outside of the sessions'.
func TestH2WrappedWriter(t *testing.T) {
	t.Parallel()
	session := sessions.New(quiet(sessions.Options{}))
	for name, chain := range map[string][]echo.MiddlewareFunc{"inside": {session, shout}, "outside": {shout, session}} {
		e := newEngine()
		e.Use(chain...)
		e.GET("/", func(c *echo.Context) error { return c.String(200, "visit "+strconv.Itoa(increment(c))) })
		url := serve(t, e)
		res, body := get(t, url, "")
		if body != "VISIT 1" || cookieOf(res) == "" {
			t.Errorf("%s: answer is %q with cookie %q", name, body, cookieOf(res))
		}
		if _, body := get(t, url, cookieOf(res)); body != "VISIT 2" {
			t.Errorf("%s: second answer is %q", name, body)
		}
	}
}

// TestA7FlushThenError flushes the head, finds the store failing and returns: the answer is one response, not two.
func TestA7FlushThenError(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		responseOf(c).Flush()
		return nil
	})
	server := httptest.NewUnstartedServer(e)
	server.Config.ErrorLog = stdlog.New(&log, "", 0)
	server.Start()
	res, body := get(t, server.URL, "")
	server.Close()
	if res.StatusCode != http.StatusServiceUnavailable || body != "" || log.Len() > 0 {
		t.Errorf("answer is %d %q, and net/http says %q", res.StatusCode, body, log.String())
	}
}

// TestH2Before changes the session in Echo's hook ahead of the response.
func TestH2Before(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error {
		responseOf(c).Before(func() { increment(c) })
		return c.NoContent(204)
	})
	e.GET("/read", func(c *echo.Context) error { return c.String(200, strconv.Itoa(visits.Get(sessions.Get(c)))) })
	url := serve(t, e)
	res, _ := get(t, url, "")
	if _, body := get(t, url+"/read", cookieOf(res)); body != "1" {
		t.Errorf("the session holds %q, want 1", body)
	}
}

// TestH2BeforeOutside registers Echo's hook outside of the sessions: it can change the session, and cannot undo what the
// response tells caches.
func TestH2BeforeOutside(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			responseOf(c).Before(func() {
				increment(c)
				c.Response().Header().Set("Cache-Control", "public, max-age=60")
			})
			return next(c)
		}
	}, sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error { return c.NoContent(204) })
	e.GET("/read", readVisits)
	url := serve(t, e)
	res, _ := get(t, url, "")
	if value := res.Header.Get("Cache-Control"); value != "no-store" {
		t.Errorf("Cache-Control is %q, want no-store", value)
	}
	if _, body := get(t, url+"/read", cookieOf(res)); body != "1" {
		t.Errorf("the session holds %q, want 1", body)
	}
}

// TestLateFailure has the store fail after the first byte: middleware outside gets the error.
func TestLateFailure(t *testing.T) {
	t.Parallel()
	store, failed := sessiontest.NewStore(nil), make(chan error, 2)
	e := newEngine()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			err := next(c)
			failed <- err
			return err
		}
	}, sessions.New(quiet(sessions.Options{Store: store})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		return c.NoContent(204)
	})
	e.GET("/late", func(c *echo.Context) error {
		err := c.String(200, said)
		store.Fail(sessiontest.Fault{On: sessiontest.Save})
		increment(c)
		return errors.Join(err, errDown)
	})
	url := serve(t, e)
	res, _ := get(t, url, "")
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if res, body := get(t, url+"/late", cookieOf(res)); res.StatusCode != http.StatusOK || body != said {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
	if err := <-failed; !errors.Is(err, sessions.ErrStore) || !errors.Is(err, errDown) || echo.StatusCode(err) != http.StatusServiceUnavailable {
		t.Errorf("the error is %v, want ErrStore with 503, and the handler's", err)
	}
}

// TestH2Push pushes where the server can, and says so where it cannot.
func TestH2Push(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error {
		if err := responseOf(c).ResponseWriter.(http.Pusher).Push("/style.css", nil); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Push over HTTP/1.1 returned %v", err)
		}
		return c.NoContent(204)
	})
	get(t, serve(t, e), "")
}

// TestGetBetween has middleware between two of the sessions': the innermost is the inner one as soon as that has been
// there, also when it has returned.
func TestGetBetween(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	e := newEngine()
	between := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			if sessions.Get(c) != sessions.GetFrom(c, outer) {
				t.Error("before the inner middleware Get is not the outer session")
			}
			err := next(c)
			if sessions.Get(c) != sessions.GetFrom(c, inner) {
				t.Error("after the inner middleware Get is not the inner session")
			}
			return err
		}
	}
	e.Use(sessions.Middleware(outer), between, sessions.Middleware(inner))
	e.GET("/", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
	if res, _ := get(t, serve(t, e), ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", res.StatusCode)
	}
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

// TestFromContext finds the session in the context of a request, and in no other.
func TestFromContext(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	e := newEngine()
	e.GET("/", func(c *echo.Context) error {
		ctx, cancel := context.WithCancel(c.Request().Context())
		defer cancel()
		if s, ok := sessions.FromContext(ctx); !ok || s != sessions.GetFrom(c, inner) {
			t.Errorf("FromContext returns %v, %t, want the inner session", s, ok)
		}
		return c.NoContent(http.StatusNoContent)
	}, sessions.Middleware(outer), sessions.Middleware(inner))
	e.GET("/without", func(c *echo.Context) error {
		if s, ok := sessions.FromContext(c.Request().Context()); ok || s != nil {
			t.Errorf("FromContext returns %v, %t without a session", s, ok)
		}
		return c.NoContent(http.StatusNoContent)
	})
	url := serve(t, e)
	for _, path := range []string{"/", "/without"} {
		if res, _ := get(t, url+path, ""); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: status %d", path, res.StatusCode)
		}
	}
}

// TestFromContextOutage finds no session if it could not be loaded, in the handler or in the error handler.
func TestFromContextOutage(t *testing.T) {
	t.Parallel()
	for _, lazy := range []bool{true, false} {
		asked := 0
		ask := func(c *echo.Context) {
			asked++
			if s, ok := sessions.FromContext(c.Request().Context()); ok || s != nil {
				t.Errorf("lazy: %t: FromContext returns %v, %t", lazy, s, ok)
			}
		}
		e := newEngine()
		e.HTTPErrorHandler = func(c *echo.Context, err error) {
			ask(c)
			_ = c.NoContent(echo.StatusCode(err))
		}
		e.Use(sessions.New(quiet(sessions.Options{Lazy: lazy, Store: outage{memstore.New(memstore.Options{})}})))
		e.GET("/", func(c *echo.Context) error {
			ask(c)
			_, err := sessions.Load(c)
			return err
		})
		res, _ := get(t, serve(t, e), known())
		if res.StatusCode != http.StatusServiceUnavailable || asked == 0 {
			t.Errorf("lazy: %t: status %d, asked %d times", lazy, res.StatusCode, asked)
		}
	}
}
