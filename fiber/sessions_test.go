package sessions_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	catch "github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/fiber"
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

func increment(c *fiber.Ctx) int {
	return visits.Update(sessions.Get(c), func(n int) int { return n + 1 })
}

func count(c *fiber.Ctx) error { return c.SendString(strconv.Itoa(increment(c))) }

func read(c *fiber.Ctx) error { return c.SendString(strconv.Itoa(visits.Get(sessions.Get(c)))) }

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
	r.Close = true
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

// eventually waits for a counter to have the value.
func eventually(t *testing.T, url, cookie, want string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, body := get(t, url, cookie)
		if body == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the session holds %q, want %q", body, want)
		}
	}
}

// TestH2StreamEnd saves what a body stream changed in a known session when the stream ends.
func TestH2StreamEnd(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/count", count)
	app.Get("/read", read)
	app.Get("/stream", func(c *fiber.Ctx) error {
		s := sessions.Get(c)
		c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
			for range 3 {
				_, _ = w.WriteString("event\n")
				_ = w.Flush()
				visits.Update(s, func(n int) int { return n + 1 })
			}
		})
		return nil
	})
	url := serve(t, app)
	res, _ := get(t, url+"/count", "")
	cookie := cookieOf(res)
	res, body := get(t, url+"/stream", cookie)
	if body != "event\nevent\nevent\n" || cookieOf(res) != "" {
		t.Errorf("stream is %q with cookie %q", body, cookieOf(res))
	}
	eventually(t, url+"/read", cookie, "4")
}

// TestA6SubApp uses one session in an application and in one that is mounted in it.
func TestA6SubApp(t *testing.T) {
	t.Parallel()
	session := sessions.New(quiet(sessions.Options{}))
	sub := fiber.New()
	sub.Use(session)
	sub.Get("/count", count)
	app := newApp(nil)
	app.Use(session)
	app.Get("/count", count)
	app.Mount("/sub", sub)
	url := serve(t, app)
	res, body := get(t, url+"/sub/count", "")
	if body != "1" || len(res.Header.Values("Set-Cookie")) != 1 {
		t.Errorf("answer is %q with cookies %q", body, res.Header.Values("Set-Cookie"))
	}
	if _, body := get(t, url+"/count", cookieOf(res)); body != "2" {
		t.Errorf("second answer is %q, want 2", body)
	}
}

// TestA7ErrorHandler shows a failed load and a failed commit to the application's own error handler.
func TestA7ErrorHandler(t *testing.T) {
	t.Parallel()
	app := newApp(func(c *fiber.Ctx, err error) error {
		var fe *fiber.Error
		if !errors.As(err, &fe) || !errors.Is(err, sessions.ErrStore) {
			t.Errorf("the error handler gets %v", err)
			return err
		}
		return c.SendStatus(fe.Code) // which keeps a body that is there
	})
	app.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	app.Get("/", count)
	url := serve(t, app)
	for _, cookie := range []string{"", known()} {
		res, body := get(t, url, cookie)
		if res.StatusCode != http.StatusServiceUnavailable || body != "Service Unavailable" || cookieOf(res) != "" {
			t.Errorf("with cookie %q: answer is %d %q, cookie %q", cookie, res.StatusCode, body, cookieOf(res))
		}
	}
}

// TestC10CookiesReadFirst has middleware outside of the sessions' read a cookie, after which fasthttp keeps the cookies in
// another form.
func TestC10CookiesReadFirst(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(func(c *fiber.Ctx) error {
		_ = c.Cookies("other")
		return c.Next()
	}, sessions.New(quiet(sessions.Options{})))
	app.Get("/", count)
	url := serve(t, app)
	res, _ := get(t, url, "")
	if _, body := get(t, url, "a=b; session=garbage; "+cookieOf(res)); body != "2" {
		t.Errorf("second answer is %q, want 2", body)
	}
}

// late is the handler of a lazy manager that changes the request's cookies before it asks for the session, as middleware that
// decrypts cookies does.
func late(c *fiber.Ctx) error {
	h := &c.Request().Header
	for _, field := range h.PeekAll(fiber.HeaderCookie) {
		clear(field)
	}
	h.Set(fiber.HeaderCookie, strings.Repeat("session=garbage; ", 20))
	return read(c)
}

// TestC10CookiesReadLate has Cookie fields of all lengths about that which there is room for, and several.
func TestC10CookiesReadLate(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Lazy: true})))
	app.Get("/first", count)
	app.Get("/", late)
	h := app.Handler()
	ask := func(path string, cookies ...string) (set, body string) {
		var ctx fasthttp.RequestCtx
		carry(&ctx, path, cookies...)
		h(&ctx)
		set, _, _ = strings.Cut(string(ctx.Response.Header.Peek("Set-Cookie")), ";")
		return set, string(ctx.Response.Body())
	}
	own, _ := ask("/first")
	for _, fields := range [][]string{{own, "a=b"}, {"a=b", own}, {"a=b", own, "c=d"}, {"", own}, {own, ""}} {
		if _, body := ask("/", fields...); body != "1" {
			t.Errorf("with the Cookie fields %q the answer is %q, want 1", fields, body)
		}
	}
	for more := range 64 {
		field := "=" + strings.Repeat("b", more) + "; " + own
		if _, body := ask("/", field); body != "1" {
			t.Errorf("with a Cookie field of %d bytes the answer is %q, want 1", len(field), body)
		}
	}
	if _, body := ask("/"); body != "0" {
		t.Errorf("without a cookie the answer is %q, want 0", body)
	}
}

// TestC10CookiesKeptApart has two requests at a time, neither of which asks for its session before the other has come.
func TestC10CookiesKeptApart(t *testing.T) {
	t.Parallel()
	var arrived sync.WaitGroup
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Lazy: true})))
	app.Get("/first", func(c *fiber.Ctx) error { return visits.Set(sessions.Get(c), c.QueryInt("n")) })
	app.Get("/", func(c *fiber.Ctx) error {
		arrived.Done()
		arrived.Wait()
		return late(c)
	})
	url := serve(t, app)
	var cookies [2]string
	for i := range cookies {
		res, _ := get(t, url+"/first?n="+strconv.Itoa(i+1), "")
		cookies[i] = cookieOf(res)
	}
	arrived.Add(len(cookies))
	var end sync.WaitGroup
	for i, cookie := range cookies {
		end.Go(func() {
			if _, body := get(t, url, cookie); body != strconv.Itoa(i+1) {
				t.Errorf("the answer is %q, want %d", body, i+1)
			}
		})
	}
	end.Wait()
}

// TestH1SeveralLines shows that fields which the application set in several lines are all minded.
func TestH1SeveralLines(t *testing.T) {
	t.Parallel()
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{})))
	app.Get("/", func(c *fiber.Ctx) error {
		for _, value := range [...]string{"max-age=60", "public"} {
			c.Response().Header.Add("Cache-Control", value)
		}
		for _, value := range [...]string{"Accept", "Origin"} {
			c.Response().Header.Add("Vary", value)
		}
		return read(c)
	})
	res, _ := get(t, serve(t, app), "")
	if got := strings.Join(res.Header.Values("Cache-Control"), ", "); got != "private, max-age=60" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := strings.Join(res.Header.Values("Vary"), ", "); got != "Accept, Origin, Cookie" {
		t.Errorf("Vary is %q", got)
	}
}

// TestH2PanicSavesNothingLater shows that the end of a request whose handler panicked saves nothing either.
func TestH2PanicSavesNothingLater(t *testing.T) {
	t.Parallel()
	store := memstore.New(memstore.Options{})
	app := newApp(nil)
	app.Use(sessions.New(quiet(sessions.Options{Store: store})))
	app.Get("/", func(c *fiber.Ctx) error {
		increment(c)
		panic("handler")
	})
	h := app.Handler()
	var ctx fasthttp.RequestCtx
	h(&ctx)
	ctx.ResetUserValues()
	if store.Len() != 0 {
		t.Errorf("there are %d records, want none", store.Len())
	}
}

// TestH2OuterSavedLater has Fiber's error handler change the outer of two sessions, after its commit. That is saved as
// well, also when the inner middleware was left by a panic.
func TestH2OuterSavedLater(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	app := newApp(func(c *fiber.Ctx, err error) error {
		visits.Update(sessions.GetFrom(c, outer), func(n int) int { return n + 1 })
		return c.Status(fiber.StatusTeapot).SendString(err.Error())
	})
	app.Use(sessions.Middleware(outer), catch.New(), sessions.Middleware(inner))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(strconv.Itoa(visits.Get(sessions.GetFrom(c, outer)))) })
	app.Get("/start", func(c *fiber.Ctx) error { return visits.Set(sessions.GetFrom(c, outer), 10) })
	app.Get("/fail", func(*fiber.Ctx) error { return fiber.ErrTeapot })
	app.Get("/panic", func(*fiber.Ctx) error { panic("as it happens") })
	url := serve(t, app)
	res, _ := get(t, url+"/start", "")
	cookie := cookieOf(res)
	for n, path := range []string{"/fail", "/panic"} {
		get(t, url+path, cookie)
		eventually(t, url, cookie, strconv.Itoa(11+n))
	}
}

// TestA6UserContextOfTheRequest has the user context made of the request's own, which shows the scopes of the middleware
// behind it as well.
func TestA6UserContextOfTheRequest(t *testing.T) {
	t.Parallel()
	first, second := newManager(t, "first"), newManager(t, "second")
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(c *fiber.Ctx) error {
		type key struct{}
		c.SetUserContext(context.WithValue(c.Context(), key{}, "value"))
		return c.Next()
	}, sessions.Middleware(first), sessions.Middleware(second))
	app.Get("/", func(c *fiber.Ctx) error {
		for _, m := range []*sessions.Manager{first, second} {
			if err := visits.Set(sessions.GetFrom(c, m), 1); err != nil {
				return err
			}
		}
		if core.ScopeOf(c.Context()).Of(newManager(t, "third")) != nil {
			t.Error("a manager that is not mounted has a scope")
		}
		return sessions.Commit(c)
	})
	res, err := app.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if n := len(res.Cookies()); res.StatusCode != http.StatusOK || n != 2 {
		t.Errorf("status %d with %d cookies", res.StatusCode, n)
	}
}

// TestGetBetween has middleware between two of the sessions': the innermost is the inner one as soon as that has been
// there, also when it has returned.
func TestGetBetween(t *testing.T) {
	t.Parallel()
	outer, inner := newManager(t, "outer"), newManager(t, "inner")
	app := newApp(nil)
	app.Use(sessions.Middleware(outer), func(c *fiber.Ctx) error {
		if sessions.Get(c) != sessions.GetFrom(c, outer) {
			t.Error("before the inner middleware Get is not the outer session")
		}
		err := c.Next()
		if sessions.Get(c) != sessions.GetFrom(c, inner) {
			t.Error("after the inner middleware Get is not the inner session")
		}
		return err
	}, sessions.Middleware(inner))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendStatus(http.StatusNoContent) })
	if res, _ := get(t, serve(t, app), ""); res.StatusCode != http.StatusNoContent {
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
