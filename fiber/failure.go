package sessions

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// failure is the error of a load or a commit in Fiber's terms. It is a [fiber.Error] to Fiber and
// the cause to [errors.Is]. Only its status and the text of that status reach the client.
type failure struct {
	response *fiber.Error
	cause    error
}

// fiberError returns the failure for err, or nil if err is nil.
func fiberError(err error) error {
	if err == nil {
		return nil
	}
	return &failure{response: fiber.NewError(core.StatusCode(err)), cause: err}
}

// Error returns the text of the status. Fiber's own error handler sends it to the client.
func (f *failure) Error() string { return f.response.Message }

// Unwrap returns the [fiber.Error] and the cause.
func (f *failure) Unwrap() []error { return []error{f.response, f.cause} }

// handlerError returns the error of a handler as Fiber is to answer it. An error of the library
// that the handler has returned as it got it, such as that of [Session.SignIn], is answered with
// its status, and its text does not reach the client.
func handlerError(err error) error {
	if err == nil {
		return nil
	}
	_, answered := errors.AsType[*fiber.Error](err)
	if answered || core.StatusCode(err) == fiber.StatusInternalServerError {
		return err
	}
	return fiberError(err)
}

// reject clears the handler's response and returns the failure for err, which Fiber answers.
func reject(c *fiber.Ctx, err error) error {
	c.Context().Hijack(nil) // An upgrade that is answered with an error is none.
	c.Response().ResetBody()
	h := responseHeader(c)
	for _, field := range adapter.ContentFields() {
		h.del(field)
	}
	h.set(field{name: fiber.HeaderCacheControl}, "no-store")
	return fiberError(err)
}
