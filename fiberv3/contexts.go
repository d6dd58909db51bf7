package sessions

import (
	"context"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/cloakroom-go/sessions/core"
)

// contexts implements [adapter.Contexts]. Fiber reuses a [fiber.Ctx], and fasthttp a
// [fasthttp.RequestCtx]. Both are contexts themselves.
type contexts struct {
	// key is that of c.Context() in the values of the fasthttp request. A context that finds
	// something there is derived from one that is reused.
	key any
}

// fiberContexts asks Fiber for the key, which it does not export.
func fiberContexts() (known contexts) {
	var request fasthttp.RequestCtx
	c := fiber.New().AcquireCtx(&request)
	c.SetContext(context.Background())
	request.VisitUserValuesAll(func(key, _ any) { known.key = key })
	return known
}

// Lasting returns c.Context() in place of the [fiber.Ctx] c, of its [fasthttp.RequestCtx], and of
// contexts that are derived from one of them.
func (known contexts) Lasting(ctx context.Context) context.Context {
	reused := false
	switch c := ctx.(type) {
	case fiber.Ctx:
		reused = true
	case *fasthttp.RequestCtx:
		if c == nil {
			return nil
		}
		reused = true
	}
	lasting, derived := ctx.Value(known.key).(context.Context)
	switch {
	case !reused && !derived:
		return ctx
	case lasting == nil || lasting.Value(known.key) != nil:
		return nil // The application has derived its context from one that is reused.
	}
	return lasting
}

func scopeOf(c fiber.Ctx) *core.Scope { return core.ScopeOf(c) }
