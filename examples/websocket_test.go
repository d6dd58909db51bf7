package examples_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	fasthttpsocket "github.com/fasthttp/websocket"
	"github.com/gin-gonic/gin"
	fiber2 "github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	echo4 "github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	echosessions "github.com/cloakroom-go/sessions/echo"
	echov5sessions "github.com/cloakroom-go/sessions/echov5"
	fibersessions "github.com/cloakroom-go/sessions/fiber"
	fiberv3sessions "github.com/cloakroom-go/sessions/fiberv3"
	ginsessions "github.com/cloakroom-go/sessions/gin"
)

const connections = core.Key[int]("connections")

func add(s *core.Session, n int) {
	connections.Update(s, func(old int) int { return old + n })
}

// TestWebsockets upgrades with a websocket library on each framework, for a new session and for a known one. What is
// changed on the connection is saved when it closes, and at once with Save.
func TestWebsockets(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, o core.Options) string{
		"gin": ginSockets, "echo": echoSockets, "echov5": echov5Sockets,
		"fiber": fiberSockets, "fiberv3": fiberv3Sockets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t, core.Options{Logger: slog.New(slog.DiscardHandler)})
			cookie := connect(t, url, "")
			connectionsBecome(t, url, cookie, "111")
			if again := connect(t, url, cookie); again != "" {
				t.Errorf("the known session gets a cookie again: %q", again)
			}
			connectionsBecome(t, url, cookie, "222")
		})
	}
}

// talk is a handler on net/http after add(s, 1).
func talk(t *testing.T, w http.ResponseWriter, r *http.Request, s *core.Session) {
	t.Helper()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.CloseNow() }()
	add(s, 10)
	err = errors.Join(s.Save(r.Context()), conn.Write(r.Context(), websocket.MessageText, []byte("saved")))
	if err != nil {
		t.Error(err)
	}
	_, _, _ = conn.Read(r.Context())
	add(s, 100)
}

// talkOnFasthttp is talk for the frameworks on fasthttp.
func talkOnFasthttp(t *testing.T, s *core.Session) func(conn *fasthttpsocket.Conn) {
	t.Helper()
	return func(conn *fasthttpsocket.Conn) {
		add(s, 10)
		err := errors.Join(s.Save(t.Context()), conn.WriteMessage(fasthttpsocket.TextMessage, []byte("saved")))
		if err != nil {
			t.Error(err)
		}
		_, _, _ = conn.ReadMessage()
		add(s, 100)
	}
}

func serveSockets(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func ginSockets(t *testing.T, o core.Options) string {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(ginsessions.New(o))
	e.GET("/", func(c *gin.Context) {
		s := ginsessions.Get(c)
		add(s, 1)
		talk(t, c.Writer, c.Request, s)
	})
	e.GET("/read", func(c *gin.Context) { c.JSON(http.StatusOK, connections.Get(ginsessions.Get(c))) })
	return serveSockets(t, e)
}

func echoSockets(t *testing.T, o core.Options) string {
	t.Helper()
	e := echo4.New()
	e.Use(echosessions.New(o))
	e.GET("/", func(c echo4.Context) error {
		s := echosessions.Get(c)
		add(s, 1)
		talk(t, c.Response(), c.Request(), s)
		return nil
	})
	e.GET("/read", func(c echo4.Context) error { return c.JSON(http.StatusOK, connections.Get(echosessions.Get(c))) })
	return serveSockets(t, e)
}

func echov5Sockets(t *testing.T, o core.Options) string {
	t.Helper()
	e := echo5.New()
	e.Use(echov5sessions.New(o))
	e.GET("/", func(c *echo5.Context) error {
		s := echov5sessions.Get(c)
		add(s, 1)
		talk(t, c.Response(), c.Request(), s)
		return nil
	})
	e.GET("/read", func(c *echo5.Context) error { return c.JSON(http.StatusOK, connections.Get(echov5sessions.Get(c))) })
	return serveSockets(t, e)
}

func fiberSockets(t *testing.T, o core.Options) string {
	t.Helper()
	app := fiber2.New(fiber2.Config{DisableStartupMessage: true})
	app.Use(fibersessions.New(o))
	app.Get("/", func(c *fiber2.Ctx) error {
		s := fibersessions.Get(c)
		add(s, 1)
		var upgrader fasthttpsocket.FastHTTPUpgrader
		return upgrader.Upgrade(c.Context(), talkOnFasthttp(t, s))
	})
	app.Get("/read", func(c *fiber2.Ctx) error { return c.JSON(connections.Get(fibersessions.Get(c))) })
	return listenWith(t, app.Listener, app.ShutdownWithContext)
}

func fiberv3Sockets(t *testing.T, o core.Options) string {
	t.Helper()
	app := fiber3.New()
	app.Use(fiberv3sessions.New(o))
	app.Get("/", func(c fiber3.Ctx) error {
		s := fiberv3sessions.Get(c)
		add(s, 1)
		var upgrader fasthttpsocket.FastHTTPUpgrader
		return upgrader.Upgrade(c.RequestCtx(), talkOnFasthttp(t, s))
	})
	app.Get("/read", func(c fiber3.Ctx) error { return c.JSON(connections.Get(fiberv3sessions.Get(c))) })
	serve := func(l net.Listener) error {
		return app.Listener(l, fiber3.ListenConfig{DisableStartupMessage: true})
	}
	return listenWith(t, serve, app.ShutdownWithContext)
}

// listenWith serves an application of Fiber on a free port.
func listenWith(t *testing.T, serve func(net.Listener) error, shutDown func(context.Context) error) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = serve(l) }()
	t.Cleanup(func() { _ = shutDown(context.WithoutCancel(t.Context())) })
	return "http://" + l.Addr().String()
}

// connect opens a websocket, waits for its message, closes it and returns the cookie that the upgrade has set.
func connect(t *testing.T, url, cookie string) string {
	t.Helper()
	header := http.Header{}
	if cookie != "" {
		header.Set("Cookie", cookie)
	}
	//nolint:bodyclose // An upgrade has no body.
	conn, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if _, text, err := conn.Read(t.Context()); err != nil || string(text) != "saved" {
		t.Fatalf("message is %q, error %v", text, err)
	}
	set, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	return set
}

// connectionsBecome waits until the session with the cookie has that value.
func connectionsBecome(t *testing.T, url, cookie, wanted string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/read", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got = strings.TrimSpace(string(body)); got == wanted {
			return
		}
	}
	t.Errorf("the session has %s, want %s", got, wanted)
}
