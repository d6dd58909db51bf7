// Command streams contains the recipes of docs/recipes/streams.md in one small program on Echo v5:
// server-sent events and websockets that end with the session. Every name is a user's.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v5"

	sessions "github.com/cloakroom-go/sessions/echov5"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`address` to listen on")
	every := flag.Duration("check", 10*time.Second, "`time` between two checks of a stream")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	m, err := sessions.NewManager(options())
	if err != nil {
		log.Fatal(err) //nolint:gocritic // nothing is left to do for stop
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	a := &app{sessions: m, every: *every, stopping: ctx.Done()}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	log.Print("listening on ", listener.Addr())
	<-ctx.Done() // The rest is in docs/recipes/shutdown.md.
	_ = server.Shutdown(context.WithoutCancel(ctx))
}

func options() sessions.Options {
	return sessions.Options{
		Expiry:     30 * time.Minute, // signed out after half an hour without use
		RenewEvery: 15 * time.Minute,

		// DisableSecure is for plain HTTP on localhost only.
		Cookie: sessions.Cookie{DisableSecure: true},
	}
}

//go:embed page.html
var page string

type app struct {
	sessions *sessions.Manager
	every    time.Duration   // between two checks of a stream
	stopping <-chan struct{} // closed when the server is to stop
}

func (a *app) handler() http.Handler {
	e := echo.New()
	e.Use(sessions.Middleware(a.sessions))
	e.GET("/", func(c *echo.Context) error { return c.HTML(http.StatusOK, page) })
	e.GET("/me", a.me)
	e.GET("/news", a.news)
	e.GET("/chat", a.chat)
	e.POST("/login", a.login)
	e.POST("/logout", a.logout)
	e.POST("/logout-everywhere", a.logoutEverywhere)
	return e
}

func (a *app) login(c *echo.Context) error {
	user := c.FormValue("user") // Check a password here.
	how := sessions.SignIn{Remember: true}
	if err := sessions.Get(c).SignIn(c.Request().Context(), user, how); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *app) logout(c *echo.Context) error {
	sessions.Get(c).Destroy()
	return c.Redirect(http.StatusSeeOther, "/")
}

func (a *app) logoutEverywhere(c *echo.Context) error {
	user := sessions.Get(c).Subject()
	if _, err := a.sessions.RevokeAll(c.Request().Context(), user); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// me is what a page asks whose stream has ended.
func (a *app) me(c *echo.Context) error {
	s := sessions.Get(c)
	s.Passive() // The page asks, not the user.
	if s.Subject() == "" {
		return c.String(http.StatusUnauthorized, "nobody")
	}
	return c.String(http.StatusOK, s.Subject())
}

// news streams server-sent events until the session ends.
func (a *app) news(c *echo.Context) error {
	s, ctx := sessions.Get(c), c.Request().Context()
	s.Passive() // The browser connects again by itself: that keeps nobody signed in.
	if s.Subject() == "" {
		return c.NoContent(http.StatusNoContent) // An EventSource then stays away.
	}
	c.Response().Header().Set("Content-Type", "text/event-stream")
	c.Response().Header().Set("X-Accel-Buffering", "no") // for nginx
	send := func(event string) error {
		if _, err := c.Response().Write([]byte(event)); err != nil {
			return err
		}
		return http.NewResponseController(c.Response()).Flush()
	}
	if err := send("retry: 2000\n\n"); err != nil { // milliseconds until the browser returns
		return err
	}
	return a.stream(ctx, s, send)
}

func (a *app) stream(ctx context.Context, s *sessions.Session, send func(string) error) error {
	ticker := time.NewTicker(a.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done(): // the client has gone
			return nil
		case <-a.stopping: // The browser connects again, to another process.
			return nil
		case <-ticker.C:
		}
		event := "data: " + s.Subject() + " at " + time.Now().Format(time.TimeOnly) + "\n\n"
		switch err := s.Check(ctx); {
		case errors.Is(err, sessions.ErrGone):
			return send("event: end\ndata:\n\n") // Without data a browser drops the event.
		case err != nil: // The store failed, so nobody knows: send nothing, and ask again.
			event = ": please wait\n\n"
		}
		if err := send(event); err != nil {
			return err
		}
	}
}

// chat answers each message until the session ends.
func (a *app) chat(c *echo.Context) error {
	s := sessions.Get(c)
	s.Passive() // A page that connects again by itself keeps nobody signed in.
	if s.Subject() == "" {
		return c.String(http.StatusUnauthorized, "please sign in")
	}
	conn, err := websocket.Accept(c.Response(), c.Request(), nil) // refuses other origins
	if err != nil {
		return nil //nolint:nilerr // Accept has answered
	}
	ctx, cancel := context.WithCancel(c.Request().Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		a.watch(ctx, s, conn)
	}()
	talk(ctx, s, conn)
	cancel()
	<-watched
	return conn.CloseNow()
}

// talk answers the user's messages.
func talk(ctx context.Context, s *sessions.Session, conn *websocket.Conn) {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if err := s.KeepAlive(ctx); err != nil { // The user has typed: that is use.
			hangUp(conn, err)
			return
		}
		if conn.Write(ctx, websocket.MessageText, append([]byte("you said "), text...)) != nil {
			return
		}
	}
}

// watch closes the connection when the session has ended, also if nobody types.
func (a *app) watch(ctx context.Context, s *sessions.Session, conn *websocket.Conn) {
	ticker := time.NewTicker(a.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.stopping:
			_ = conn.Close(websocket.StatusGoingAway, "please connect again")
			return
		case <-ticker.C:
		}
		if err := s.Check(ctx); errors.Is(err, sessions.ErrGone) {
			hangUp(conn, err)
			return
		}
	}
}

// hangUp closes the connection after an error of the session.
func hangUp(conn *websocket.Conn, err error) {
	if errors.Is(err, sessions.ErrGone) {
		_ = conn.Close(websocket.StatusPolicyViolation, "the session has ended")
		return
	}
	_ = conn.Close(websocket.StatusTryAgainLater, "please connect again")
}
