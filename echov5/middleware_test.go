package sessions_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

const said = "what the handler says"

// ways are the ways in which a handler of Echo answers. Each has the status that it is to have.
func ways() map[string]struct {
	status int
	send   echo.HandlerFunc
} {
	files := fstest.MapFS{"said.txt": &fstest.MapFile{Data: []byte(said), ModTime: time.Unix(1e9, 0)}}
	return map[string]struct {
		status int
		send   echo.HandlerFunc
	}{
		"string":     {201, func(c *echo.Context) error { return c.String(201, said) }},
		"JSON":       {201, func(c *echo.Context) error { return c.JSON(201, said) }},
		"XML":        {201, func(c *echo.Context) error { return c.XML(201, said) }},
		"stream":     {201, func(c *echo.Context) error { return c.Stream(201, "text/plain", strings.NewReader(said)) }},
		"file":       {200, func(c *echo.Context) error { return c.FileFS("said.txt", files) }},
		"attachment": {200, func(c *echo.Context) error { return attach(c, files) }},
		"status":     {204, func(c *echo.Context) error { return c.NoContent(204) }},
		"redirect":   {303, func(c *echo.Context) error { return c.Redirect(303, "/elsewhere") }},
		"nothing":    {200, func(*echo.Context) error { return nil }},
		"events":     {200, events},
		"flush":      {200, flushFirst},
		"error":      {418, func(*echo.Context) error { return echo.NewHTTPError(418, said) }},
		"not found":  {404, func(*echo.Context) error { return echo.ErrNotFound }},
		"nested": {201, func(c *echo.Context) error {
			c.SetResponse(echo.NewResponse(c.Response(), c.Logger()))
			return c.String(201, said)
		}},
	}
}

func attach(c *echo.Context, files fstest.MapFS) error {
	c.Response().Header().Set("Content-Disposition", "attachment")
	return c.FileFS("said.txt", files)
}

// flushFirst sends the header ahead of the body.
func flushFirst(c *echo.Context) error {
	if err := http.NewResponseController(c.Response()).Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(c.Response(), said)
	return err
}

// events sends server-sent events.
func events(c *echo.Context) error {
	c.Response().Header().Set("Content-Type", "text/event-stream")
	for range 3 {
		if _, err := io.WriteString(c.Response(), "data: "+said+"\n\n"); err != nil {
			return err
		}
		if err := http.NewResponseController(c.Response()).Flush(); err != nil {
			return err
		}
	}
	return nil
}

// wrapped is the writer of middleware for net/http.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// opaque is the writer of middleware that keeps to no rule: it hides what is below.
type opaque struct{ http.ResponseWriter }

func (w opaque) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// others returns middleware that replaces the response or the request, and that which answers errors by itself.
func others() map[string]echo.MiddlewareFunc {
	wrap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrapped{w}, r) })
	}
	return map[string]echo.MiddlewareFunc{
		"gzip":            middleware.Gzip(),
		"gzip of a page":  middleware.GzipWithConfig(middleware.GzipConfig{MinLength: 1000}),
		"body dump":       middleware.BodyDump(func(*echo.Context, []byte, []byte, error) {}),
		"context timeout": middleware.ContextTimeout(time.Minute),
		"logger":          logger(func(int) {}),
		"of net/http":     echo.WrapMiddleware(wrap),
		"opaque": func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c *echo.Context) error {
				res := c.Response()
				c.SetResponse(opaque{res})
				defer c.SetResponse(res)
				return next(c)
			}
		},
	}
}

// logger calls Echo's error handler by itself.
func logger(logged func(status int)) echo.MiddlewareFunc {
	return middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		HandleError: true, LogStatus: true,
		LogValuesFunc: func(_ *echo.Context, v middleware.RequestLoggerValues) error {
			logged(v.Status)
			return nil
		},
	})
}

// chained calls f with the sessions inside of each other middleware, and outside of it.
func chained(session echo.MiddlewareFunc, f func(name string, chain []echo.MiddlewareFunc)) {
	f("alone", []echo.MiddlewareFunc{session})
	for name, other := range others() {
		f("inside of "+name, []echo.MiddlewareFunc{other, session})
		f("outside of "+name, []echo.MiddlewareFunc{session, other})
	}
}

// TestOtherMiddleware answers in each way next to each other middleware: with the cookie while the store works.
func TestOtherMiddleware(t *testing.T) {
	t.Parallel()
	for way, test := range ways() {
		chained(sessions.New(quiet(sessions.Options{})), func(name string, chain []echo.MiddlewareFunc) {
			url := answering(t, chain, test.send)
			res, body := get(t, url, "")
			wantBody := test.status < 300 && test.status != 204 && way != "nothing"
			if res.StatusCode != test.status || cookieOf(res) == "" || wantBody && !strings.Contains(body, said) {
				t.Errorf("%s, %s: answer is %d %q with cookie %q", way, name, res.StatusCode, body, cookieOf(res))
			}
			cookie := cookieOf(res)
			if _, body := get(t, url+"/read", cookie); body != "1" {
				t.Errorf("%s, %s: the session holds %q, want 1", way, name, body)
			}
			res, _ = get(t, url, cookie)
			if _, body := get(t, url+"/read", cookie); body != "2" || res.StatusCode != test.status || cookieOf(res) != "" {
				t.Errorf("%s, %s: again the answer is %d with cookie %q, the session holds %q", way, name, res.StatusCode, cookieOf(res), body)
			}
		})
	}
}

// TestFailedCommitNextToOtherMiddleware answers in each way next to each other middleware: with an error in place of the
// handler's response while the store does not work.
func TestFailedCommitNextToOtherMiddleware(t *testing.T) {
	t.Parallel()
	broken := sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}}))
	for way, test := range ways() {
		chained(broken, func(name string, chain []echo.MiddlewareFunc) {
			if way == "flush" && strings.HasPrefix(name, "inside of gzip") {
				return // Echo's compressor leaves a response without a body incomplete once it has been flushed.
			}
			res, body := get(t, answering(t, chain, test.send), "")
			if res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, said) || cookieOf(res) != "" {
				t.Errorf("%s, %s: answer is %d %q with cookie %q", way, name, res.StatusCode, body, cookieOf(res))
			}
			for _, field := range []string{"Location", "Etag", "Last-Modified", "Content-Disposition", "Accept-Ranges"} {
				if value := res.Header.Get(field); value != "" {
					t.Errorf("%s, %s: %s is %q", way, name, field, value)
				}
			}
			if value := res.Header.Get("Cache-Control"); value != "no-store" {
				t.Errorf("%s, %s: Cache-Control is %q", way, name, value)
			}
		})
	}
}

// answering serves a handler that counts in the session and answers with send.
func answering(t *testing.T, chain []echo.MiddlewareFunc, send echo.HandlerFunc) (url string) {
	t.Helper()
	e := newEngine()
	e.Use(chain...)
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		return send(c)
	})
	e.GET("/read", readVisits)
	return serve(t, e)
}

func readVisits(c *echo.Context) error {
	return c.String(200, strconv.Itoa(visits.Get(sessions.Get(c))))
}

// TestTimeoutHandler mounts the timeout of net/http, which holds the response back, inside of the sessions.
func TestTimeoutHandler(t *testing.T) {
	t.Parallel()
	timeout := echo.WrapMiddleware(func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, time.Minute, "too late")
	})
	answer := func(c *echo.Context) error { return c.String(201, said) }
	url := answering(t, []echo.MiddlewareFunc{sessions.New(quiet(sessions.Options{})), timeout}, answer)
	if res, body := get(t, url, ""); res.StatusCode != http.StatusCreated || body != said || cookieOf(res) == "" {
		t.Errorf("answer is %d %q with cookie %q", res.StatusCode, body, cookieOf(res))
	}
	broken := sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}}))
	res, body := get(t, answering(t, []echo.MiddlewareFunc{broken, timeout}, answer), "")
	if res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, said) {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
}

// TestLoggerOutside logs the status of the error that took the place of the handler's response.
func TestLoggerOutside(t *testing.T) {
	t.Parallel()
	statuses := make(chan int, 1)
	broken := sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}}))
	chain := []echo.MiddlewareFunc{logger(func(status int) { statuses <- status }), broken}
	get(t, answering(t, chain, func(c *echo.Context) error { return c.String(200, said) }), "")
	if status := <-statuses; status != http.StatusServiceUnavailable {
		t.Errorf("the logger saw %d, want 503", status)
	}
}

// TestHead has Echo answer HEAD requests with the handlers of GET. It hides its response from middleware of groups and routes.
func TestHead(t *testing.T) {
	t.Parallel()
	for _, store := range []sessions.Store{memstore.New(memstore.Options{}), outage{memstore.New(memstore.Options{})}} {
		for where, mount := range map[string]func(e *echo.Echo, session echo.MiddlewareFunc, h echo.HandlerFunc){
			"engine": func(e *echo.Echo, session echo.MiddlewareFunc, h echo.HandlerFunc) { e.Use(session); e.GET("/", h) },
			"group":  func(e *echo.Echo, session echo.MiddlewareFunc, h echo.HandlerFunc) { e.Group("", session).GET("/", h) },
			"route":  func(e *echo.Echo, session echo.MiddlewareFunc, h echo.HandlerFunc) { e.GET("/", h, session) },
		} {
			for way, test := range ways() {
				e := echo.NewWithConfig(echo.Config{Router: echo.NewRouter(echo.RouterConfig{AutoHandleHEAD: true})})
				mount(e, sessions.New(quiet(sessions.Options{Store: store})), func(c *echo.Context) error {
					increment(c)
					return test.send(c)
				})
				res := head(t, serve(t, e))
				want, failing := test.status, false
				if _, failing = store.(outage); failing {
					want = http.StatusServiceUnavailable
				}
				if res.StatusCode != want || (cookieOf(res) == "") != failing {
					t.Errorf("%s, %s, failing: %t: answer is %d with cookie %q", where, way, failing, res.StatusCode, cookieOf(res))
				}
				if length := res.Header.Get("Content-Length"); way == "string" && !failing && length != strconv.Itoa(len(said)) {
					t.Errorf("%s: the length is %q", where, length)
				}
			}
		}
	}
}

func head(t *testing.T, url string) *answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return &answer{res.StatusCode, res.Header}
}

// TestPre mounts the sessions in front of the router, with middleware that changes the path, and for paths without a route.
func TestPre(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Pre(sessions.New(quiet(sessions.Options{})), middleware.RemoveTrailingSlash())
	e.GET("/count", func(c *echo.Context) error { return c.String(200, c.Path()+" "+strconv.Itoa(increment(c))) })
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		_ = c.String(echo.StatusCode(err), strconv.Itoa(visits.Get(sessions.Get(c))))
	}
	e.POST("/other", readVisits)
	url := serve(t, e)
	res, body := get(t, url+"/count/", "")
	if body != "/count 1" {
		t.Fatalf("answer is %d %q", res.StatusCode, body)
	}
	for path, status := range map[string]int{"/nowhere": http.StatusNotFound, "/other": http.StatusMethodNotAllowed} {
		if res, body := get(t, url+path, cookieOf(res)); res.StatusCode != status || body != "1" {
			t.Errorf("%s: answer is %d %q", path, res.StatusCode, body)
		}
	}
}

// TestGroup mounts a second manager on a group, below middleware that replaces the response.
func TestGroup(t *testing.T) {
	t.Parallel()
	site, shop := newManager(t, "site"), newManager(t, "shop")
	e := newEngine()
	e.Use(sessions.Middleware(site), middleware.Gzip())
	group := e.Group("/shop", sessions.Middleware(site), sessions.Middleware(shop))
	group.GET("/count", func(c *echo.Context) error {
		err := errors.Join(visits.Set(sessions.GetFrom(c, site), 1), visits.Set(sessions.GetFrom(c, shop), 2))
		if err != nil {
			return err
		}
		return c.String(200, said)
	})
	url := serve(t, e)
	res, body := get(t, url+"/shop/count", "")
	if cookies := strings.Join(res.Header["Set-Cookie"], " "); body != said || !strings.Contains(cookies, "site=") || !strings.Contains(cookies, "shop=") {
		t.Errorf("answer is %q with cookies %s", body, cookies)
	}
	if res, _ := get(t, url+"/shop/nowhere", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("status of a missing page is %d", res.StatusCode)
	}
}
