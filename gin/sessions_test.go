package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// outage is a store that saves and loads nothing.
type outage struct{ *memstore.Store }

var errDown = errors.New("connection refused")

func (outage) Load(context.Context, string) (core.Record, error) { return core.Record{}, errDown }

func (outage) Save(context.Context, core.Record) (core.Record, error) { return core.Record{}, errDown }

// known returns the Cookie field of a browser whose session the store would have to load.
func known() string { return "session=AZcW0000dACA" + strings.Repeat("A", 52) }

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

func increment(c *gin.Context) int {
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
	e.GET("/", func(c *gin.Context) {
		control := http.NewResponseController(c.Writer)
		increment(c)
		err := errors.Join(control.SetWriteDeadline(time.Now().Add(time.Minute)), control.Flush())
		_, _ = c.Writer.WriteString("err: ")
		if err != nil {
			_, _ = c.Writer.WriteString(err.Error())
		}
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
	e.GET("/", func(c *gin.Context) {
		increment(c)
		if _, err := c.Writer.(io.ReaderFrom).ReadFrom(strings.NewReader("copied")); err != nil {
			t.Error(err)
		}
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
	e.GET("/", func(c *gin.Context) {
		var w http.ResponseWriter = c.Writer
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
		if c.Writer.Pusher() != nil {
			t.Error("a recorder cannot push")
		}
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
	e.GET("/", func(c *gin.Context) {
		increment(c)
		_, _, err := http.NewResponseController(c.Writer).Hijack()
		failed <- err
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
	gin.ResponseWriter
	held bytes.Buffer
}

func (b *buffering) Write(p []byte) (int, error)       { return b.held.Write(p) }
func (b *buffering) WriteString(s string) (int, error) { return b.held.WriteString(s) }

// shout sends the body in upper case.
func shout(c *gin.Context) {
	b := &buffering{ResponseWriter: c.Writer}
	c.Writer = b
	c.Next()
	c.Writer = b.ResponseWriter
	_, _ = c.Writer.Write(bytes.ToUpper(b.held.Bytes()))
}

// TestH2WrappedWriter mounts middleware that wraps the writer inside and outside of the sessions'.
func TestH2WrappedWriter(t *testing.T) {
	t.Parallel()
	session := sessions.New(quiet(sessions.Options{}))
	for name, chain := range map[string][]gin.HandlerFunc{"inside": {session, shout}, "outside": {shout, session}} {
		e := newEngine()
		e.Use(chain...)
		e.GET("/", func(c *gin.Context) { c.String(200, "visit %d", increment(c)) })
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

// TestA3ContextCopy uses the session in a goroutine on a copy of the context, as Gin asks for.
func TestA3ContextCopy(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *gin.Context) {
		done := make(chan int)
		go func(c *gin.Context) { done <- increment(c) }(c.Copy())
		c.String(200, "%d", <-done)
	})
	res, body := get(t, serve(t, e), "")
	if body != "1" || cookieOf(res) == "" {
		t.Errorf("answer is %q with cookie %q", body, cookieOf(res))
	}
}

// TestA7ErrorPage lets middleware outside of the sessions' give a failed load and a failed commit a body.
func TestA7ErrorPage(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(func(c *gin.Context) {
		c.Next()
		if err := c.Errors.Last(); err != nil && errors.Is(err, sessions.ErrStore) {
			c.String(c.Writer.Status(), "sorry")
		}
	}, sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	e.GET("/", func(c *gin.Context) { c.String(200, "visit %d", increment(c)) })
	url := serve(t, e)
	for _, cookie := range []string{"", known()} {
		res, body := get(t, url, cookie)
		if res.StatusCode != http.StatusServiceUnavailable || body != "sorry" || cookieOf(res) != "" {
			t.Errorf("with cookie %q: answer is %d %q, cookie %q", cookie, res.StatusCode, body, cookieOf(res))
		}
	}
}

// TestGetBetween has middleware between two of the sessions': the innermost is the inner one as soon as that has been
// there, also when it has returned.
func TestGetBetween(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	e := newEngine()
	e.Use(sessions.Middleware(outer), func(c *gin.Context) {
		if sessions.Get(c) != sessions.GetFrom(c, outer) {
			t.Error("before the inner middleware Get is not the outer session")
		}
		c.Next()
		if sessions.Get(c) != sessions.GetFrom(c, inner) {
			t.Error("after the inner middleware Get is not the inner session")
		}
	}, sessions.Middleware(inner))
	e.GET("/", func(c *gin.Context) { c.Status(http.StatusNoContent) })
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

// TestA6HandleContext shows that a request which Gin routes again is committed before its first byte, and not sent without.
func TestA6HandleContext(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"body": "/new", "nothing": "/empty"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, _ := get(t, rewriting(t, memstore.New(memstore.Options{}), path), "")
			if res.StatusCode != http.StatusOK || cookieOf(res) == "" {
				t.Errorf("answer is %d with cookie %q", res.StatusCode, cookieOf(res))
			}
			res, body := get(t, rewriting(t, outage{}, path), "")
			if res.StatusCode != http.StatusServiceUnavailable || body != "" {
				t.Errorf("after a failed save the answer is %d %q", res.StatusCode, body)
			}
		})
	}
}

// rewriting serves an engine that answers every request by routing it to path, and returns its URL.
func rewriting(t *testing.T, store sessions.Store, path string) string {
	t.Helper()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{Store: store})))
	e.GET("/new", func(c *gin.Context) { c.String(http.StatusOK, "%d", increment(c)) })
	e.GET("/empty", func(c *gin.Context) { increment(c) })
	e.GET("/", func(c *gin.Context) {
		c.Request.URL.Path = path
		e.HandleContext(c)
	})
	return serve(t, e)
}
