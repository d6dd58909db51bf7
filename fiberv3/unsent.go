package sessions

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"syscall"

	"github.com/gofiber/fiber/v3"
)

// headerIsGone reports whether the response that the handlers have made has been sent already, or
// is not going to be sent. It cannot carry a cookie then, so a session that needs one must not be
// stored. A request that has timed out may not be asked.
func headerIsGone(c fiber.Ctx) bool {
	return hijackedSilently(c) || closed(c.RequestCtx().Conn())
}

// timedOut reports whether Fiber's timeout middleware has answered the request, or is about to, so
// that no cookie can be sent. The context is that of the request; handlerErr is what the handlers
// have returned.
//
// That middleware runs the handlers on another goroutine. If it is mounted inside of the sessions,
// a handler may still be running, so that little of c may be read. If it is mounted outside, only
// a request that it has abandoned may be asked for its answer. A handler that returns because of
// the deadline does so before that, because both notice the deadline at once. The middleware then
// answers whatever the handler returns, because it was waiting for both.
func timedOut(ctx context.Context, c fiber.Ctx, handlerErr error) bool {
	if c.IsAbandoned() { // So is the request of an event stream, which has no such answer.
		return c.RequestCtx().LastTimeoutErrorResponse() != nil
	}
	err := ctx.Err()
	return err != nil && (errors.Is(handlerErr, err) || startedByTimeout())
}

// startedByTimeout reports whether Fiber's timeout middleware has started this goroutine, so that
// it is mounted outside of the sessions. Nothing else tells its deadline from one that other
// middleware has put on the context, which has no say in the answer.
func startedByTimeout() bool {
	var counters [32]uintptr
	var start runtime.Frame // the function that the goroutine has begun with
	for skip, n := 1, len(counters); n == len(counters); skip += n {
		n = runtime.Callers(skip, counters[:])
		frames := runtime.CallersFrames(counters[:n])
		for more := n > 0; more; {
			var frame runtime.Frame
			if frame, more = frames.Next(); frame.Function != "runtime.goexit" {
				start = frame
			}
		}
	}
	return strings.HasSuffix(start.File, "/middleware/timeout/timeout.go")
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
