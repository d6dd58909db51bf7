// Package gincontrib is the bridge from gin-contrib/sessions to the sessions of gin.
package gincontrib

import (
	"context"

	"github.com/gin-gonic/gin"
	old "github.com/gorilla/sessions"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
	"github.com/cloakroom-go/sessions/examples/migrate/gorilla"
	sessions "github.com/cloakroom-go/sessions/gin"
)

// Sessions returns the handlers that stand in place of sessions.Middleware(m), for r.Use. The
// store and the name are those of gin-contrib's middleware.
func Sessions(
	m *sessions.Manager, b *migrate.Bridge, store old.Store, name string,
) []gin.HandlerFunc {
	const key = "migrate.entry"
	outside := func(c *gin.Context) {
		r := migrate.NewRequest(c.Request.Method, c.ClientIP(), c.Request.Header)
		entry, err := b.Enter(c.Request.Context(), r, func(context.Context) (migrate.Old, error) {
			return gorilla.Read(store, name, c.Request)
		})
		if err != nil {
			_ = c.AbortWithError(core.StatusCode(err), err)
			return
		}
		if entry.Cookie != "" {
			c.Request.Header.Set("Cookie", entry.Cookie)
		}
		for _, value := range entry.SetCookie {
			c.Writer.Header().Add("Set-Cookie", value)
		}
		c.Set(key, &entry)
		c.Next()
		err = entry.Leave(c.Request.Context(), c.Writer.Header()["Set-Cookie"])
		if err != nil {
			_ = c.Error(err)
		}
	}
	inside := func(c *gin.Context) {
		c.MustGet(key).(*migrate.Entry).SendCookie(c.Request.Context())
	}
	return []gin.HandlerFunc{outside, sessions.Middleware(m), inside}
}
