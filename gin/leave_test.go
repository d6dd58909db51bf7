package sessions_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/sessiontest"
	sessions "github.com/cloakroom-go/sessions/gin"
)

const flash = sessions.Key[string]("flash")

// behind returns an engine in whose middleware outside of the sessions after runs when the handlers have returned.
func behind(after gin.HandlerFunc) *gin.Engine {
	e := newEngine()
	e.Use(func(c *gin.Context) {
		c.Next()
		after(c)
	}, sessions.New(quiet(sessions.Options{})))
	e.GET("/count", func(c *gin.Context) { c.String(200, "%d", increment(c)) })
	e.GET("/flash", func(c *gin.Context) { c.String(200, "%s", flash.Get(sessions.Get(c))) })
	e.GET("/nothing", func(c *gin.Context) { increment(c) })
	e.GET("/login", func(c *gin.Context) {
		if err := sessions.Get(c).Login("alice"); err != nil {
			_ = c.AbortWithError(500, err)
		}
		c.Status(http.StatusSeeOther)
		c.Header("Location", "/")
	})
	return e
}

// TestPublicOutside has middleware outside tell caches to keep a response without a body, which Gin sends last of all.
func TestPublicOutside(t *testing.T) {
	t.Parallel()
	url := serve(t, behind(func(c *gin.Context) { c.Header("Cache-Control", "public, max-age=60") }))
	for path, status := range map[string]int{"/nothing": 200, "/login": 303} {
		res, _ := get(t, url+path, "")
		if res.StatusCode != status || cookieOf(res) == "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: answer is %d with Cache-Control %q, cookie %q", path, res.StatusCode, res.Header.Get("Cache-Control"), cookieOf(res))
		}
	}
}

// TestFlashOutside has middleware outside leave a message in the session, before the header has left and after.
func TestFlashOutside(t *testing.T) {
	t.Parallel()
	var late error
	url := serve(t, behind(func(c *gin.Context) {
		if c.Request.URL.Path != "/flash" {
			late = flash.Set(sessions.Get(c), c.Request.URL.Path)
		}
	}))
	res, _ := get(t, url+"/count", "")
	if late != nil {
		t.Errorf("with a session that has been stored Set returned %v", late)
	}
	cookie := cookieOf(res)
	for _, path := range []string{"/count", "/nothing"} {
		get(t, url+path, cookie)
		if _, body := get(t, url+"/flash", cookie); body != path {
			t.Errorf("the message after %s is %q", path, body)
		}
	}
}

// TestTimeoutOutside has the time of a slow login run out, outside of the sessions: the browser's cookie goes on.
func TestTimeoutOutside(t *testing.T) {
	t.Parallel()
	returned := make(chan struct{})
	e := behind(func(*gin.Context) {})
	e.GET("/slow", func(c *gin.Context) {
		defer close(returned)
		<-c.Request.Context().Done()
		_ = sessions.Get(c).Login("alice")
		c.String(200, "signed in")
	})
	url := serve(t, http.TimeoutHandler(e, 50*time.Millisecond, "too slow"))
	res, _ := get(t, url+"/count", "")
	if res, _ := get(t, url+"/slow", cookieOf(res)); res.StatusCode != http.StatusServiceUnavailable || cookieOf(res) != "" {
		t.Errorf("answer is %d with cookie %q", res.StatusCode, cookieOf(res))
	}
	<-returned
	if _, body := get(t, url+"/count", cookieOf(res)); body != "2" {
		t.Errorf("the count is %q, want 2: the session has ended", body)
	}
}

// TestFormParsedOutside has middleware outside parse the upload, when the handlers have returned.
func TestFormParsedOutside(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e := behind(func(c *gin.Context) {
		if form, err := c.MultipartForm(); err != nil || len(form.File) == 0 {
			t.Errorf("there is no form: %v", err)
		}
		if len(temporaryFiles(dir)) == 0 {
			t.Error("the upload is in memory")
		}
	})
	e.MaxMultipartMemory = 1
	e.POST("/", func(c *gin.Context) { increment(c) })
	server := httptest.NewServer(e)
	upload(t, server.URL+"/")
	server.Close()
	if left := temporaryFiles(dir); len(left) > 0 {
		t.Errorf("these files are left: %v", left)
	}
}

// TestGuardAbilities uses what Gin's writer can do in middleware outside, when the guard is below it.
func TestGuardAbilities(t *testing.T) {
	t.Parallel()
	url := serve(t, behind(func(c *gin.Context) {
		_ = c.Writer.CloseNotify()
		_ = c.Writer.Pusher()
		_, _ = c.Writer.WriteString("a")
		c.Writer.Flush()
		_, _ = io.Copy(c.Writer, strings.NewReader("b"))
	}))
	if res, body := get(t, url+"/nothing", ""); body != "ab" || !strings.Contains(res.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("answer is %q with Cache-Control %q", body, res.Header.Get("Cache-Control"))
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
		e.GET("/slow", func(c *gin.Context) {
			<-c.Request.Context().Done()
			time.Sleep(time.Second) // The answer has been sent by then.
			c.String(200, "%d", increment(c))
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

// TestHeaderSentOutside has middleware outside send the header before the sessions come.
func TestHeaderSentOutside(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(func(c *gin.Context) {
		if c.FullPath() == "/late" {
			c.Writer.WriteHeaderNow()
		}
	}, sessions.New(quiet(sessions.Options{})))
	e.GET("/count", func(c *gin.Context) { c.String(200, "%d", increment(c)) })
	var setErr error
	e.GET("/late", func(c *gin.Context) { setErr = visits.Set(sessions.Get(c), 7) })
	url := serve(t, e)
	res, _ := get(t, url+"/count", "")
	get(t, url+"/late", cookieOf(res))
	if _, body := get(t, url+"/count", cookieOf(res)); body != "8" || setErr != nil {
		t.Errorf("Set returned %v, and the count is %q, want 8", setErr, body)
	}
	if get(t, url+"/late", ""); !errors.Is(setErr, sessions.ErrLate) {
		t.Errorf("Set returned %v to a visitor", setErr)
	}
}
