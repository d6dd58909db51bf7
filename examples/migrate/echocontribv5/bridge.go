// Package echocontribv5 is the bridge from echo-contrib's sessions to those of echov5.
package echocontribv5

import (
	"context"

	old "github.com/gorilla/sessions"
	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
	sessions "github.com/cloakroom-go/sessions/echov5"
	"github.com/cloakroom-go/sessions/examples/migrate/gorilla"
)

// Sessions stands in place of sessions.Middleware(m). The store is that of echo-contrib's
// middleware, and the name that of its session.
func Sessions(
	m *sessions.Manager, b *migrate.Bridge, store old.Store, name string,
) echo.MiddlewareFunc {
	session := sessions.Middleware(m)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			ctx, header := c.Request().Context(), c.Request().Header
			r := migrate.NewRequest(c.Request().Method, c.RealIP(), header)
			entry, err := b.Enter(ctx, r, func(context.Context) (migrate.Old, error) {
				return gorilla.Read(store, name, c.Request())
			})
			if err != nil {
				return echo.NewHTTPError(core.StatusCode(err), "").Wrap(err)
			}
			if entry.Cookie != "" {
				header.Set("Cookie", entry.Cookie)
			}
			for _, value := range entry.SetCookie {
				c.Response().Header().Add("Set-Cookie", value)
			}
			err = session(func(c *echo.Context) error {
				entry.SendCookie(c.Request().Context())
				return next(c)
			})(c)
			if err := entry.Leave(ctx, c.Response().Header()["Set-Cookie"]); err != nil {
				c.Logger().Error("leaving the old session", "error", err)
			}
			return err
		}
	}
}
