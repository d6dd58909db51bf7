package sessions

import (
	"github.com/gofiber/fiber/v2"
)

// ErrorHandler returns an error handler that calls next and then sees to it that no cache keeps
// what next has shown of a session, nor the session's cookie, whatever next has told caches. It is
// for fiber.Config.ErrorHandler, if that sets Cache-Control or Expires:
//
//	app := fiber.New(fiber.Config{ErrorHandler: sessions.ErrorHandler(answer)})
//
// Fiber calls its error handler after all middleware, and lets nobody see the header after that.
// Without ErrorHandler the page of an error is private if the request has a session, unless the
// error handler itself tells caches something else. If next is nil, it is Fiber's default.
func ErrorHandler(next fiber.ErrorHandler) fiber.ErrorHandler {
	if next == nil {
		next = fiber.DefaultErrorHandler
	}
	return func(c *fiber.Ctx, err error) error {
		err = next(c, err)
		for scope := scopeOf(c); scope != nil && scope.Begun(); scope = scope.Outer() {
			reply, _ := scope.Leave(c.Response().StatusCode()) // It has committed before.
			apply(c, &reply)
		}
		return err
	}
}
