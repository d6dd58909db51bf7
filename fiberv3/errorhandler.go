package sessions

import (
	"reflect"

	"github.com/gofiber/fiber/v3"
)

// ErrorHandler returns an error handler that calls next and then sees to it that no cache keeps
// what next has shown of a session, nor the session's cookie, whatever next has told caches. It is
// for fiber.Config.ErrorHandler, if that sets Cache-Control or Expires:
//
//	app := fiber.New(fiber.Config{ErrorHandler: sessions.ErrorHandler(answer)})
//
// Fiber calls its error handler after all middleware, and lets nobody see the header after that.
// Without ErrorHandler the page of an error is private if the request has a session, unless the
// error handler itself tells caches something else, and the middleware writes a warning to the log
// when the first request comes. If next is nil, it is Fiber's default.
//
//go:noinline // See codeOf.
func ErrorHandler(next fiber.ErrorHandler) fiber.ErrorHandler {
	if next == nil {
		next = fiber.DefaultErrorHandler
	}
	return func(c fiber.Ctx, err error) error {
		err = next(c, err)
		for scope := scopeOf(c); scope != nil && scope.Begun(); scope = scope.Outer() {
			reply, _ := scope.Leave(c.Response().StatusCode()) // It has committed before.
			apply(c, &reply)
		}
		return err
	}
}

// codeOf returns where the code of an error handler is. It is the same for all that ErrorHandler
// has returned, because ErrorHandler is not inlined.
func codeOf(h fiber.ErrorHandler) uintptr { return reflect.ValueOf(h).Pointer() }

// checkErrorHandler warns if the error handler of the application is not wrapped in ErrorHandler.
func checkErrorHandler(app *fiber.App, m *Manager) {
	code := codeOf(app.Config().ErrorHandler)
	if code != codeOf(fiber.DefaultErrorHandler) && code != codeOf(ErrorHandler(nil)) {
		m.Warn("fiber.Config.ErrorHandler is not wrapped in sessions.ErrorHandler, so caches " +
			"may keep an error page that sets Cache-Control, together with the session's cookie")
	}
}
