package sessions

import (
	"github.com/gofiber/fiber/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// SignOut returns a handler that ends the session and redirects to a path on the same site, with
// the status 303. It takes POST only; the status is 405 otherwise. A user who is not signed in is
// redirected as well, so a double click does no harm. If the store fails, the status is 503, and
// the session and its cookie stay. SignOut panics if to is not a [LocalPath].
func SignOut(to string) fiber.Handler {
	core.MustBeLocal(to)
	return func(c *fiber.Ctx) error {
		apply := func(r *adapter.Reply) { applyEarly(c, r) }
		return answer(c, scopeOf(c).SignOut(c.Method(), to, apply))
	}
}
