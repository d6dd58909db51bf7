// Package fiberv3 is the bridge from the sessions of Fiber v3 itself.
package fiberv3

import (
	"context"
	"errors"
	"log"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// cart is a value that moves to the new session.
const cart = core.Key[string]("cart")

// Sessions returns the handlers that stand in place of sessions.Middleware(m): outside, the
// middleware, and inside. The store is the one that the handlers have used.
func Sessions(m *sessions.Manager, b *migrate.Bridge, store *session.Store) []any {
	type key struct{}
	outside := func(c fiber.Ctx) error {
		r := migrate.NewRequest(c.Method(), c.IP(), c.GetReqHeaders())
		entry, err := b.Enter(c.Context(), r, func(ctx context.Context) (migrate.Old, error) {
			return read(ctx, store, c)
		})
		if err != nil {
			log.Print(err)
			return fiber.NewError(core.StatusCode(err))
		}
		if entry.Cookie != "" {
			c.Request().Header.DelAllCookies() // Set would add to them.
			c.Request().Header.Set("Cookie", entry.Cookie)
		}
		for _, value := range entry.SetCookie {
			c.Response().Header.Add("Set-Cookie", value)
		}
		c.Locals(key{}, &entry)
		err = c.Next()
		if err := entry.Leave(c.Context(), setCookies(c)); err != nil {
			log.Print(err)
		}
		return err
	}
	inside := func(c fiber.Ctx) error {
		c.Locals(key{}).(*migrate.Entry).SendCookie(c.Context())
		return c.Next()
	}
	return []any{outside, sessions.Middleware(m), inside}
}

// read returns the old session. The keys "user" and "cart" are those of your application.
func read(ctx context.Context, store *session.Store, c fiber.Ctx) (migrate.Old, error) {
	id := strings.Clone(c.Cookies("session_id")) // The name in your Extractor.
	old, err := store.GetByID(ctx, id)
	if errors.Is(err, session.ErrSessionIDNotFoundInStore) {
		return migrate.Old{}, nil
	}
	if err != nil {
		return migrate.Old{}, err
	}
	defer old.Release()
	user, _ := old.Get("user").(string)
	value, _ := old.Get("cart").(string)
	return migrate.Old{
		ID: id, User: user,
		Copy: func(s *core.Session) error { return cart.Set(s, value) },
		End:  func(ctx context.Context) error { return store.Delete(ctx, id) },
	}, nil
}

// setCookies returns the Set-Cookie values of the response.
func setCookies(c fiber.Ctx) (values []string) {
	for _, value := range c.Response().Header.Cookies() {
		values = append(values, string(value))
	}
	return values
}
