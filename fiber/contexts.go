package sessions

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
)

// contexts implements [adapter.Contexts]. fasthttp reuses a [fasthttp.RequestCtx], which is a
// context itself, and c.Context() of Fiber.
type contexts struct {
	// key is that of c.UserContext() in the values of the fasthttp request. A context that finds
	// something there is derived from one that is reused.
	key any
}

// fiberContexts asks Fiber for the key, which it does not export.
func fiberContexts() (known contexts) {
	var request fasthttp.RequestCtx
	c := fiber.New().AcquireCtx(&request)
	c.SetUserContext(context.Background())
	request.VisitUserValuesAll(func(key, _ any) { known.key = key })
	return known
}

// Lasting returns the user context of the request in place of a [fasthttp.RequestCtx] and of
// contexts that are derived from one.
func (known contexts) Lasting(ctx context.Context) context.Context {
	r, reused := ctx.(*fasthttp.RequestCtx)
	if reused && r == nil {
		return nil
	}
	lasting, derived := ctx.Value(known.key).(context.Context)
	switch {
	case !reused && !derived:
		return ctx
	case lasting == nil || lasting.Value(known.key) != nil:
		return nil // The application has derived its user context from one that is reused.
	}
	return lasting
}

func scopeOf(c *fiber.Ctx) *core.Scope { return core.ScopeOf(c.Context()) }
