package bench

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echov5 "github.com/labstack/echo/v5"
	"github.com/valyala/fasthttp"
)

// The baseline puts the Cookie field into the request's context and does nothing else, as
// cheaply as possible. Cloakroom has to do at least as much so that a session can be found in
// the context.

// contextRequest is a request of net/http together with its context, which holds the Cookie
// field, in a single allocation.
type contextRequest struct {
	context.Context //nolint:containedctx // it is a context
	cookie          string
	http            http.Request
}

// cookieKey is the key of the Cookie field in a context.
type cookieKey struct{}

// Value returns a pointer to the Cookie field for cookieKey. Returning the string itself would
// allocate.
func (r *contextRequest) Value(key any) any {
	if _, ok := key.(cookieKey); ok {
		return &r.cookie
	}
	return r.Context.Value(key)
}

// withCookieContext returns the request with a context that holds its Cookie field.
func withCookieContext(r *http.Request) *http.Request {
	out := &contextRequest{Context: r.Context(), cookie: strings.Join(r.Header["Cookie"], ";")}
	out.http = *r.WithContext(out) //nolint:contextcheck // out is derived from r's context
	return &out.http
}

func ginBaseline(c *gin.Context) {
	c.Request = withCookieContext(c.Request)
	c.Next()
}

func echoBaseline(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.SetRequest(withCookieContext(c.Request()))
		return next(c)
	}
}

func echoV5Baseline(next echov5.HandlerFunc) echov5.HandlerFunc {
	return func(c *echov5.Context) error {
		c.SetRequest(withCookieContext(c.Request()))
		return next(c)
	}
}

func netBaseline(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, withCookieContext(r))
	})
}

// cookieCopy is a copy of a Cookie field in a single allocation. Fiber reuses the memory of
// the original.
type cookieCopy struct {
	cookie string
	buffer [len(cookieWithoutSession)]byte
}

// keepCookie puts a copy of the Cookie field into the context.
func keepCookie(ctx *fasthttp.RequestCtx) {
	fields := ctx.Request.Header.PeekAll(fiber.HeaderCookie)
	if len(fields) != 1 || len(fields[0]) > len(cookieCopy{}.buffer) {
		ctx.SetUserValue(cookieKey{}, new(string))
		return
	}
	out := &cookieCopy{}
	out.cookie = utils.UnsafeString(out.buffer[:copy(out.buffer[:], fields[0])])
	ctx.SetUserValue(cookieKey{}, &out.cookie)
}

func fiberBaseline(c *fiber.Ctx) error {
	keepCookie(c.Context())
	return c.Next()
}

func fiberV3Baseline(c fiberv3.Ctx) error {
	keepCookie(c.RequestCtx())
	return c.Next()
}

// baselineLibrary is the library of the baseline. Its read checks that the Cookie field is in
// the context.
type baselineLibrary[C any] struct {
	bareLibrary[C]

	contextOf func(c C) context.Context
}

func (b baselineLibrary[C]) read(c C) (int, error) {
	cookie, ok := b.contextOf(c).Value(cookieKey{}).(*string)
	if !ok || *cookie != cookieWithoutSession {
		return 0, errNotLoaded
	}
	return 1, nil
}

func ginContext(c *gin.Context) context.Context { return c.Request.Context() }

func echoContext(c echo.Context) context.Context { return c.Request().Context() }

func echoV5Context(c *echov5.Context) context.Context { return c.Request().Context() }

func netContext(r *http.Request) context.Context { return r.Context() }

func fiberContext(c *fiber.Ctx) context.Context { return c.Context() }

func fiberV3Context(c fiberv3.Ctx) context.Context { return c.RequestCtx() }
