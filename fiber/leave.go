package sessions

import (
	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// leave commits before the header leaves. If an error handler or a stream is going to run after
// that, it may use the session, so the response counts as one that does.
func leave(c *fiber.Ctx, scope *core.Scope, handlerErr error) (adapter.Reply, error) {
	status := c.Response().StatusCode()
	if handlerErr != nil {
		status = fiber.StatusInternalServerError
	}
	if handlerErr != nil || streams(c) {
		scope.ExpectUse()
	}
	return scope.Leave(status)
}

// streams reports whether the body is made while it is sent. The length of a file is known.
func streams(c *fiber.Ctx) bool {
	return c.Response().IsBodyStream() && c.Response().Header.ContentLength() < 0
}
