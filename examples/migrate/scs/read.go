// Package scs reads sessions of alexedwards/scs. The middleware is that of package nethttp.
package scs

import (
	"context"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
)

// cart is a value that moves to the new session.
const cart = core.Key[string]("cart")

// Read returns the session of a request. The keys "user" and "cart" are those of your application.
func Read(manager *scs.SessionManager, r *http.Request) (migrate.Old, error) {
	c, err := r.Cookie(manager.Cookie.Name)
	if err != nil {
		return migrate.Old{}, nil //nolint:nilerr // There is no cookie.
	}
	ctx, err := manager.Load(r.Context(), c.Value)
	if err != nil {
		return migrate.Old{}, err
	}
	// RenewToken sets the deadline anew. So this is when the user signed in, if you call it at
	// each login as scs advises. Leave At out if you also call it at other times.
	at := manager.Deadline(ctx).Add(-manager.Lifetime)
	return migrate.Old{
		ID: c.Value, User: manager.GetString(ctx, "user"), Auth: core.Auth{At: at},
		Copy: func(s *core.Session) error { return cart.Set(s, manager.GetString(ctx, "cart")) },
		End: func(ctx context.Context) error {
			ctx, err := manager.Load(ctx, c.Value)
			if err != nil {
				return err
			}
			return manager.Destroy(ctx)
		},
	}, nil
}
