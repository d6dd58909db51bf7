package sessions

import (
	"github.com/gofiber/fiber/v3"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/adapter"
)

// Require returns middleware that lets a request pass only if its session meets the requirement;
// see [Requirement] for the answer to others. Mount it inside the session middleware. It panics if
// the requirement makes no sense; the message says what to change.
//
// Fiber's error handler gets errors as a [fiber.Error], like those of the session middleware.
func Require(r Requirement) fiber.Handler {
	guard := core.NewGuard(r)
	return guarding(func(c fiber.Ctx) adapter.Verdict {
		s, err := scopeOf(c).Load()
		if err != nil || guard.Met(s) {
			return adapter.Verdict{Err: err}
		}
		visit := adapter.Visit{
			Fetch: fetchOf(c), Target: targetOf(c), Accept: sentField(c, fiber.HeaderAccept),
		}
		return guard.Refuse(s, &visit)
	})
}

// ReturnPath returns where the user wanted to go when [Require] sent them to this page: the query
// parameter [ReturnParam], if it is a [LocalPath], and otherwise the given path. Call it after the
// login. The form of a login page keeps the parameter if it is sent to the address of the page, as
// it is without an action attribute. Fiber does not reuse the string.
func ReturnPath(c fiber.Ctx, otherwise string) string {
	return core.ReturnPath(targetOf(c), otherwise)
}

// targetOf returns a copy of the target of the request, as the client has sent it.
func targetOf(c fiber.Ctx) string { return string(c.Request().Header.RequestURI()) }

// guarding returns middleware that answers the requests that judge does not let pass.
func guarding(judge func(fiber.Ctx) adapter.Verdict) fiber.Handler {
	return func(c fiber.Ctx) error {
		if v := judge(c); !v.Passes() {
			return answer(c, v)
		}
		return c.Next()
	}
}

// answer answers a request in place of its handler, or returns the error for Fiber to answer.
func answer(c fiber.Ctx, v adapter.Verdict) error {
	if v.Location != "" {
		c.Set(fiber.HeaderLocation, v.Location)
		c.Status(fiber.StatusSeeOther)
		return nil
	}
	err := reject(c, v.Err)
	if v.Field != "" {
		c.Set(v.Field, v.Value)
	}
	return err
}
