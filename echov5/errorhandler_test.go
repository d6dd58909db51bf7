package sessions_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// known returns a well-formed cookie.
func known() string { return "session=AZcW0000dACA" + strings.Repeat("A", 52) }

// TestErrorHandler shows a failed load and a failed commit to the application's own error handler.
func TestErrorHandler(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.HTTPErrorHandler = func(c *echo.Context, err error) {
		var he *echo.HTTPError
		if !errors.As(err, &he) || !errors.Is(he.Unwrap(), sessions.ErrStore) {
			t.Errorf("the error handler gets %v", err)
			return
		}
		if echo.StatusCode(err) != he.Code || he.Message != http.StatusText(he.Code) {
			t.Errorf("the error's status is %d, its message %q", echo.StatusCode(err), he.Message)
		}
		if res, err := echo.UnwrapResponse(c.Response()); err != nil || res.Committed || res.Size != 0 || res.Status != http.StatusOK {
			t.Errorf("the response is %+v, %v", res, err)
		}
		_ = c.String(he.Code, "sorry")
	}
	e.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		return c.String(200, said)
	})
	url := serve(t, e)
	for _, cookie := range []string{"", known()} {
		res, body := get(t, url, cookie)
		if res.StatusCode != http.StatusServiceUnavailable || body != "sorry" || cookieOf(res) != "" {
			t.Errorf("with cookie %q: answer is %d %q, cookie %q", cookie, res.StatusCode, body, cookieOf(res))
		}
	}
}

// TestErrorIsNotExposed has Echo's own error handlers answer a failed load and a failed commit.
func TestErrorIsNotExposed(t *testing.T) {
	t.Parallel()
	for want, errorHandler := range map[string]echo.HTTPErrorHandler{
		`{"message":"Service Unavailable"}`: echo.DefaultHTTPErrorHandler(false),
		`{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Service Unavailable"}`: echo.ProblemDetailsHTTPErrorHandler(false),
	} {
		e := newEngine()
		e.HTTPErrorHandler = errorHandler
		e.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
		e.GET("/", func(c *echo.Context) error { return visits.Set(sessions.Get(c), 1) })
		url := serve(t, e)
		for _, cookie := range []string{"", known()} {
			if res, body := get(t, url, cookie); res.StatusCode != http.StatusServiceUnavailable || strings.TrimSpace(body) != want {
				t.Errorf("answer is %d %q, want %q", res.StatusCode, body, want)
			}
		}
	}
}

// TestStatusOfFailedCommit has the status say whether it makes sense to try again.
func TestStatusOfFailedCommit(t *testing.T) {
	t.Parallel()
	const note = sessions.Key[string]("note")
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{MaxSize: 1000, MaxSessions: 1, OnLimit: core.RefuseLogin})))
	e.GET("/large", func(c *echo.Context) error {
		note.Update(sessions.Get(c), func(string) string { return strings.Repeat("x", 2000) })
		return c.String(200, said)
	})
	e.GET("/login", func(c *echo.Context) error {
		if err := sessions.Get(c).Login("ann"); err != nil {
			return err
		}
		return c.String(200, said)
	})
	url := serve(t, e)
	if res, body := get(t, url+"/large", ""); res.StatusCode != http.StatusInternalServerError || strings.Contains(body, said) {
		t.Errorf("too large: answer is %d %q", res.StatusCode, body)
	}
	if res, _ := get(t, url+"/login", ""); res.StatusCode != http.StatusOK {
		t.Errorf("first login: status %d", res.StatusCode)
	}
	want := core.StatusCode(sessions.ErrLimit)
	if res, body := get(t, url+"/login", ""); res.StatusCode != want || strings.Contains(body, said) {
		t.Errorf("second login: answer is %d %q, want %d", res.StatusCode, body, want)
	}
}

// TestErrorHandlerChangesSession shows that what Echo's error handler changes in the session is saved, also if it starts one.
// The error of the router is one of those that are no HTTPError.
func TestErrorHandlerChangesSession(t *testing.T) {
	t.Parallel()
	dump := middleware.BodyDump(func(*echo.Context, []byte, []byte, error) {})
	session := func() echo.MiddlewareFunc { return sessions.New(quiet(sessions.Options{})) }
	for name, chain := range map[string][]echo.MiddlewareFunc{
		"alone": {session()}, "inside": {dump, session()}, "outside": {session(), dump},
	} {
		failed := make(chan error, 1)
		e := newEngine()
		e.HTTPErrorHandler = func(c *echo.Context, err error) {
			failed <- visits.Set(sessions.Get(c), visits.Get(sessions.Get(c))+10)
			_ = c.String(echo.StatusCode(err), said)
		}
		e.Use(chain...)
		e.GET("/", func(c *echo.Context) error {
			increment(c)
			return c.NoContent(204)
		})
		e.GET("/fail", func(c *echo.Context) error {
			increment(c)
			return echo.ErrForbidden
		})
		e.GET("/read", readVisits)
		url := serve(t, e)
		res, _ := get(t, url, "")
		cookie := cookieOf(res)
		for path, status := range map[string]int{"/fail": 403, "/nowhere": 404} {
			if res, body := get(t, url+path, cookie); res.StatusCode != status || body != said {
				t.Errorf("%s, %s: answer is %d %q", name, path, res.StatusCode, body)
			}
			if err := <-failed; err != nil {
				t.Errorf("%s, %s: the change fails with %v", name, path, err)
			}
		}
		if _, body := get(t, url+"/read", cookie); body != "22" {
			t.Errorf("%s: the session holds %q, want 22", name, body)
		}
		res, _ = get(t, url+"/nowhere", "")
		if err := <-failed; res.StatusCode != http.StatusNotFound || cookieOf(res) == "" || err != nil {
			t.Errorf("%s: answer is %d with cookie %q, and the change fails with %v", name, res.StatusCode, cookieOf(res), err)
		}
		if _, body := get(t, url+"/read", cookieOf(res)); body != "10" {
			t.Errorf("%s: the new session holds %q, want 10", name, body)
		}
	}
}

// TestErrorHandlerSaves has the error handler change the session when the handler has answered already.
func TestErrorHandlerSaves(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.HTTPErrorHandler = func(c *echo.Context, _ error) {
		s, _ := sessions.FromContext(c.Request().Context())
		if err := errors.Join(visits.Set(s, 5), s.Save(c.Request().Context())); err != nil {
			t.Error(err)
		}
	}
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/", func(c *echo.Context) error {
		increment(c)
		return errors.Join(c.String(200, said), errDown)
	})
	e.GET("/read", readVisits)
	url := serve(t, e)
	res, body := get(t, url, "")
	if res.StatusCode != http.StatusOK || body != said {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
	if _, body := get(t, url+"/read", cookieOf(res)); body != "5" {
		t.Errorf("the session holds %q, want 5", body)
	}
}

// TestReplacedResponse has a handler put a response of its own into the context, which is not to be seen outside.
func TestReplacedResponse(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			res := c.Response()
			err := next(c)
			if c.Response() != res {
				t.Errorf("the response is %T, want that of before", c.Response())
			}
			return err
		}
	})
	e.Use(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})))
	e.GET("/", func(c *echo.Context) error {
		c.SetResponse(echo.NewResponse(c.Response(), e.Logger))
		increment(c)
		return c.String(200, said)
	})
	if res, body := get(t, serve(t, e), ""); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, said) {
		t.Errorf("answer is %d %q", res.StatusCode, body)
	}
}

// TestPanicAfterFailedCommit panics in a handler whose response has been dropped: the error handler answers.
func TestPanicAfterFailedCommit(t *testing.T) {
	t.Parallel()
	chained(sessions.New(quiet(sessions.Options{Store: outage{memstore.New(memstore.Options{})}})), func(name string, chain []echo.MiddlewareFunc) {
		url := answering(t, chain, func(c *echo.Context) error {
			_ = c.String(200, said)
			panic("handler")
		})
		// A compressor outside and the buffers of one inside are left as Echo leaves them on any panic.
		if res, body := get(t, url, ""); res.StatusCode < 500 || strings.Contains(body, said) {
			t.Errorf("%s: answer is %d %q", name, res.StatusCode, body)
		}
	})
}
