package sessions

import (
	"context"

	"github.com/gin-gonic/gin"
)

// contexts implements [adapter.Contexts]. Gin reuses a [gin.Context], which is a context itself.
type contexts struct{}

// Lasting returns the context of the request in place of a [gin.Context] and of contexts that are
// derived from one.
func (contexts) Lasting(ctx context.Context) context.Context {
	c, reused := ctx.Value(gin.ContextKey).(*gin.Context)
	if !reused {
		return ctx
	}
	if c.Request == nil {
		return nil
	}
	ctx = c.Request.Context()
	if _, reused = ctx.Value(gin.ContextKey).(*gin.Context); reused {
		return nil
	}
	return ctx
}
