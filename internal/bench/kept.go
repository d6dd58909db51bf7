package bench

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/labstack/echo/v4"
)

// kept is a request of net/http with a context that holds its Cookie field, in a single allocation.
type kept struct {
	context.Context //nolint:containedctx // it is a context
	cookie          string
	http            http.Request
}

// keptKey is the key of the Cookie field in a context.
type keptKey struct{}

// Value returns the Cookie field under its key, by a pointer, since an interface of a string would allocate.
func (k *kept) Value(key any) any {
	if _, ok := key.(keptKey); ok {
		return &k.cookie
	}
	return k.Context.Value(key)
}

// keep returns the request with a context that holds its Cookie field.
func keep(r *http.Request) *http.Request {
	k := &kept{Context: r.Context(), cookie: strings.Join(r.Header["Cookie"], ";")}
	k.http = *r.WithContext(k) //nolint:contextcheck // k is a context of r's
	return &k.http
}

func ginKeep(c *gin.Context) {
	c.Request = keep(c.Request)
	c.Next()
}

func echoKeep(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.SetRequest(keep(c.Request()))
		return next(c)
	}
}

func netKeep(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { next.ServeHTTP(rw, keep(r)) })
}

// keptCopy is a copy of a Cookie field of Fiber's, which is about to change, in a single allocation.
type keptCopy struct {
	cookie string
	room   [len(bareField)]byte
}

func fiberKeep(c *fiber.Ctx) error {
	fields := c.Request().Header.PeekAll(fiber.HeaderCookie)
	if len(fields) != 1 || len(fields[0]) > len(keptCopy{}.room) {
		c.Context().SetUserValue(keptKey{}, new(string))
		return c.Next()
	}
	k := &keptCopy{}
	k.cookie = utils.UnsafeString(k.room[:copy(k.room[:], fields[0])])
	c.Context().SetUserValue(keptKey{}, &k.cookie)
	return c.Next()
}

// keeping is the library of who keeps the Cookie field and nothing else. A C has a context.
type keeping[C any] struct {
	bare[C]

	context func(c C) context.Context
}

func (k keeping[C]) read(c C) (int, error) {
	if cookie, ok := k.context(c).Value(keptKey{}).(*string); !ok || *cookie != bareField {
		return 0, errNotLoaded
	}
	return 1, nil
}

func ginContext(c *gin.Context) context.Context { return c.Request.Context() }

func echoContext(c echo.Context) context.Context { return c.Request().Context() }

func netContext(ctx context.Context) context.Context { return ctx }

func fiberContext(c *fiber.Ctx) context.Context { return c.Context() }
