package sessions_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	sessions "github.com/cloakroom-go/sessions/gin"
)

// opaque is a writer of middleware outside that cannot be unwrapped, as that of gin-contrib/gzip.
type opaque struct{ gin.ResponseWriter }

// TestOutsideOfAnOpaqueWriter has middleware outside change a session whose response has no body, although what is between
// them hides Gin's writer.
func TestOutsideOfAnOpaqueWriter(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		e := newEngine()
		e.Use(func(c *gin.Context) {
			c.Next()
			s := sessions.Get(c)
			switch c.Request.URL.Path {
			case "/status":
				if err := s.Set("flash", "x"); err != nil {
					t.Errorf("hidden %v: Set: %v", hidden, err)
				}
			case "/body":
				s.Destroy()
			}
		})
		if hidden {
			e.Use(func(c *gin.Context) { c.Writer = &opaque{c.Writer}; c.Next() })
		}
		e.Use(sessions.New(quiet(sessions.Options{})))
		e.GET("/start", func(c *gin.Context) { increment(c); c.String(http.StatusOK, "ok") })
		e.GET("/status", func(c *gin.Context) { sessions.Get(c).Keys(); c.Status(http.StatusNotFound) })
		e.GET("/body", func(c *gin.Context) { c.String(http.StatusOK, "%d", visits.Get(sessions.Get(c))) })
		e.GET("/keys", func(c *gin.Context) {
			c.String(http.StatusOK, strings.Join(sessions.Get(c).Keys(), " "))
		})
		url := serve(t, e)
		res, _ := get(t, url+"/start", "")
		cookie := cookieOf(res)
		get(t, url+"/status", cookie)
		if _, keys := get(t, url+"/keys", cookie); !strings.Contains(keys, "flash") {
			t.Errorf("hidden %v: the session has %q, want a flash message", hidden, keys)
		}
		get(t, url+"/body", cookie)
		if _, keys := get(t, url+"/keys", cookie); keys != "" {
			t.Errorf("hidden %v: a session that middleware outside has ended has %q", hidden, keys)
		}
	}
}

// TestUpgradeOfACacheableResponse hands over a connection whose header tells caches to keep it.
func TestUpgradeOfACacheableResponse(t *testing.T) {
	t.Parallel()
	e := newEngine()
	e.Use(sessions.New(quiet(sessions.Options{})))
	e.GET("/start", func(c *gin.Context) { increment(c); c.String(http.StatusOK, "ok") })
	e.GET("/", func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=60")
		c.Header("Upgrade", "x")
		c.Header("Connection", "Upgrade")
		c.Writer.WriteHeader(http.StatusSwitchingProtocols)
		c.Writer.WriteHeaderNow()
		conn, _, err := c.Writer.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "hello")
		_ = conn.Close()
	})
	url := serve(t, e)
	res, _ := get(t, url+"/start", "")
	for _, cookie := range []string{"", cookieOf(res)} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\nCookie: %s\r\n\r\n", cookie)
		got, err := io.ReadAll(bufio.NewReader(conn))
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 101 ") || !strings.HasSuffix(string(got), "hello") {
			t.Errorf("with the cookie %q the client gets %q, error %v", cookie, got, err)
		}
		_ = conn.Close()
	}
}
