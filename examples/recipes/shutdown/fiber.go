package main

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"strconv"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v3"

	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// fiberServer serves an application of Fiber.
type fiberServer struct{ *fiber.App }

// Serve serves until Shutdown is called.
func (s fiberServer) Serve(l net.Listener) error {
	return s.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}

// Shutdown does what that of [http.Server] does.
func (s fiberServer) Shutdown(ctx context.Context) error { return s.ShutdownWithContext(ctx) }

// Close does nothing: fasthttp has no way to cut off a request. It ends with the process.
func (s fiberServer) Close() error { return nil }

// onFiber returns the application on Fiber v3.
func (a *app) onFiber(o sessions.Options) (*sessions.Manager, server, error) {
	m, err := sessions.NewManager(o)
	if err != nil {
		return nil, nil, err
	}
	f := fiber.New(fiber.Config{StreamRequestBody: true})
	f.Get("/ready", func(c fiber.Ctx) error { return c.SendStatus(a.ready()) })
	f.Use(sessions.Middleware(m))
	f.Post("/login", loginOnFiber)
	f.Post("/upload", uploadOnFiber)
	f.Get("/news", a.newsOnFiber)
	f.Get("/socket", a.socketOnFiber)
	return m, fiberServer{f}, nil
}

func loginOnFiber(c fiber.Ctx) error {
	return sessions.Get(c).SignIn(c.Context(), c.FormValue("user"), sessions.SignIn{})
}

func uploadOnFiber(c fiber.Ctx) error {
	s := sessions.Get(c)
	log.Print("upload begins")
	n, err := io.Copy(io.Discard, c.Request().BodyStream())
	if err != nil {
		return fiber.ErrBadRequest
	}
	uploads.Update(s, increment)
	return c.SendString(strconv.FormatInt(n, 10) + " bytes")
}

func (a *app) newsOnFiber(c fiber.Ctx) error {
	s := sessions.Get(c) // in the handler, since the stream must not use c
	c.Set(fiber.HeaderContentType, "text/event-stream")
	return c.SendStreamWriter(func(w *bufio.Writer) {
		_, _ = w.WriteString(": welcome\n\n")
		_ = w.Flush()
		<-a.stopping.Done()
		streams.Update(s, increment) // saved when the stream has ended
	})
}

func (a *app) socketOnFiber(c fiber.Ctx) error {
	s, ctx := sessions.Get(c), c.Context()
	a.sockets.Add(1) // Not below: the handler returns before that begins.
	var upgrader websocket.FastHTTPUpgrader
	err := upgrader.Upgrade(c.RequestCtx(), func(conn *websocket.Conn) {
		defer a.sockets.Done()
		//nolint:contextcheck // when the server stops, not the request
		stop := context.AfterFunc(a.stopping, func() {
			deadline := time.Now().Add(5 * time.Second) // for the client, to close its side too
			bye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "please connect again")
			_ = conn.WriteControl(websocket.CloseMessage, bye, deadline)
			_ = conn.NetConn().SetReadDeadline(deadline)
		})
		defer stop()
		err := conn.WriteMessage(websocket.TextMessage, []byte("welcome"))
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
		sockets.Update(s, increment)
		if err := s.Save(ctx); err != nil { // while it still counts as open
			log.Print(err)
		}
	})
	if err != nil {
		a.sockets.Done()
	}
	return err
}
