package sessions_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/echo"
)

// TestTimeoutOutside has the time of a slow login run out, outside of the sessions: the browser's cookie goes on.
func TestTimeoutOutside(t *testing.T) {
	t.Parallel()
	returned := make(chan struct{})
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/count", func(c echo.Context) error {
		increment(c)
		return c.NoContent(204)
	})
	e.GET("/slow", func(c echo.Context) error {
		defer close(returned)
		<-c.Request().Context().Done()
		_ = sessions.Get(c).Login("alice")
		return c.String(200, "signed in")
	})
	e.GET("/read", func(c echo.Context) error {
		if visits.Get(sessions.Get(c)) != 1 {
			t.Error("the session has ended")
		}
		return c.NoContent(204)
	})
	url := serve(t, http.TimeoutHandler(e, 50*time.Millisecond, "too slow"))
	res, _ := get(t, url+"/count", "")
	if res, _ := get(t, url+"/slow", cookieOf(res)); res.StatusCode != http.StatusServiceUnavailable || cookieOf(res) != "" {
		t.Errorf("answer is %d with cookie %q", res.StatusCode, cookieOf(res))
	}
	<-returned
	get(t, url+"/read", cookieOf(res))
}

// TestFormParsedLate has the error handler parse the upload, when the handlers have returned.
func TestFormParsedLate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if parseErr := c.Request().ParseMultipartForm(1); parseErr != nil || len(temporaryFiles(dir)) == 0 {
			t.Errorf("the upload is not in a file: %v, %v", err, parseErr)
		}
		if s, ok := sessions.FromContext(c.Request().Context()); !ok || visits.Get(s) != 1 {
			t.Error("the error handler finds no session")
		}
		_ = c.NoContent(500)
	}
	e.POST("/", func(c echo.Context) error {
		increment(c)
		return errDown
	})
	server := httptest.NewServer(e)
	upload(t, server.URL+"/")
	server.Close()
	if left := temporaryFiles(dir); len(left) > 0 {
		t.Errorf("these files are left: %v", left)
	}
}

// TestFailedRedirect has the error handler send the user elsewhere with a message in the session that cannot be saved: the
// answer is an error, without the handler's target.
func TestFailedRedirect(t *testing.T) {
	t.Parallel()
	e := newEngine()
	o := quiet(sessions.Options{MaxSize: 1000})
	e.Use(sessions.New(o))
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		s, _ := sessions.FromContext(c.Request().Context())
		visits.Update(s, func(int) int { return 1 })
		sessions.Key[[]string]("large").Update(s, func([]string) []string { return make([]string, 900) })
		_ = c.Redirect(303, "/elsewhere")
		_ = err
	}
	e.GET("/", func(c echo.Context) error {
		increment(c)
		return errDown
	})
	res, body := get(t, serve(t, e), "")
	if res.StatusCode != http.StatusInternalServerError || res.Header.Get("Location") != "" || body != "" {
		t.Errorf("answer is %d %q to %q", res.StatusCode, body, res.Header.Get("Location"))
	}
}

// TestNobodyGetsTheCookie has the time of a visitor's first request run out, outside of the sessions. No session stays that no
// cookie reaches.
func TestNobodyGetsTheCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New(memstore.Options{})
		e := newEngine()
		e.Use(sessions.New(quiet(sessions.Options{Store: store})))
		e.GET("/slow", func(c echo.Context) error {
			<-c.Request().Context().Done()
			time.Sleep(time.Second) // The answer has been sent by then.
			return c.JSON(200, increment(c))
		})
		browser := sessiontest.Browser(sessiontest.Handler(http.TimeoutHandler(e, time.Second, "too slow")))
		status, _, cookies := visit(t, browser, http.MethodGet, "/slow")
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if n := store.Len(); status != http.StatusServiceUnavailable || len(cookies) != 0 || n != 0 {
			t.Errorf("the answer is %d with cookies %q, and %d sessions are stored", status, cookies, n)
		}
	})
}

// TestDroppedError has middleware outside change the session and drop the error of the handler, so that nobody writes a
// response, or the header has left before the sessions come.
func TestDroppedError(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		e := newEngine()
		var setErr error
		late := make(chan sessions.Event, 1)
		m, err := sessions.NewManager(quiet(sessions.Options{OnEvent: func(e sessions.Event) {
			if e.Kind == sessions.EventLate {
				late <- e
			}
		}}))
		if err != nil {
			t.Fatal(err)
		}
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				if c.Path() != "/drop" {
					return next(c)
				}
				if sent {
					c.Response().WriteHeader(200)
				}
				if err := next(c); err == nil {
					t.Error("the handler has returned no error")
				}
				setErr = visits.Set(sessions.Get(c), 7)
				return nil
			}
		}, sessions.Middleware(m))
		e.GET("/drop", func(_ echo.Context) error { return echo.ErrNotFound })
		e.GET("/count", func(c echo.Context) error { return c.JSON(200, increment(c)) })
		url := serve(t, e)
		res, _ := get(t, url+"/count", "")
		get(t, url+"/drop", cookieOf(res))
		if _, body := get(t, url+"/count", cookieOf(res)); body != "8\n" || setErr != nil {
			t.Errorf("sent before %v: Set returned %v, and the count is %q, want 8", sent, setErr, body)
		}
		if res, _ := get(t, url+"/drop", ""); sent && (!errors.Is(setErr, sessions.ErrLate) || cookieOf(res) != "") {
			t.Errorf("Set returned %v to a visitor", setErr)
		}
		<-late // Whether Set or the end of the request tells of it.
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestErrorsOfTheLibrary has a handler return the error of SignIn as it gets it: the answer has the status of the error and
// nothing of its text. An answer that the handler has chosen itself stays.
func TestErrorsOfTheLibrary(t *testing.T) {
	t.Parallel()
	store := sessiontest.NewStore(nil)
	store.Fail(sessiontest.Fault{Err: errors.New("host of the store")})
	m, err := sessions.NewManager(quiet(sessions.Options{Store: store, PurgeInterval: -1}))
	if err != nil {
		t.Fatal(err)
	}
	app := newEngine()
	app.Use(sessions.Middleware(m))
	app.GET("/plain", func(c echo.Context) error {
		return sessions.Get(c).SignIn(c.Request().Context(), "ann", sessions.SignIn{})
	})
	app.GET("/own", func(c echo.Context) error {
		err := sessions.Get(c).SignIn(c.Request().Context(), "ann", sessions.SignIn{})
		return echo.NewHTTPError(http.StatusTeapot).SetInternal(err)
	})
	url := serve(t, app)
	for path, status := range map[string]int{"/plain": http.StatusServiceUnavailable, "/own": http.StatusTeapot} {
		res, body := get(t, url+path, "")
		if res.StatusCode != status || path == "/plain" && strings.Contains(body, "host") {
			t.Errorf("%s: the answer is %d %q, want the status %d", path, res.StatusCode, body, status)
		}
	}
}
