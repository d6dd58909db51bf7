package sessions

import (
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/gofiber/fiber/v3"
)

// headerIsGone reports whether the response that the handlers have made has been sent already, or
// is not going to be sent. It cannot carry a cookie then, so a session that needs one must not be
// stored. The context is that of the request; handlerErr is what the handlers have returned.
func headerIsGone(ctx context.Context, c fiber.Ctx, handlerErr error) bool {
	return timedOut(ctx, c, handlerErr) || hijackedSilently(c) || closed(c.RequestCtx().Conn())
}

// timedOut reports whether Fiber's timeout middleware has answered the request, or is about to.
//
// That middleware runs the handlers on another goroutine. If it is mounted inside of the sessions,
// a handler may still be running, so that little of c may be read. If it is mounted outside, only
// a request that it has abandoned may be asked for its answer. A handler that returns the error of
// the deadline does so before that, because both notice the deadline at once.
func timedOut(ctx context.Context, c fiber.Ctx, handlerErr error) bool {
	if c.IsAbandoned() { // So is the request of an event stream, which has no such answer.
		return c.RequestCtx().LastTimeoutErrorResponse() != nil
	}
	err := ctx.Err()
	return err != nil && errors.Is(handlerErr, err)
}

// hijackedSilently reports whether a handler has taken over the connection and answers by itself,
// as handlers of net/http do behind Fiber's adaptor. Otherwise fasthttp sends the response before
// it hands over the connection: that of an upgrade, or of a CONNECT request.
func hijackedSilently(c fiber.Ctx) bool {
	return c.RequestCtx().Hijacked() && c.Method() != fiber.MethodConnect &&
		c.Response().StatusCode() != fiber.StatusSwitchingProtocols
}

// closed reports whether this side has closed the connection, as c.End and c.Drop do. It returns
// false if the connection is not a socket, or TLS on one, because no other kind tells.
func closed(conn net.Conn) bool {
	if tls, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = tls.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	return errors.Is(raw.Control(func(uintptr) {}), net.ErrClosed)
}
