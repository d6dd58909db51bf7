// Package gorilla reads sessions of gorilla/sessions, and so those of gin-contrib/sessions and of
// echo-contrib/session, which keep theirs in its stores.
package gorilla

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
)

// cart is a value that moves to the new session.
const cart = core.Key[string]("cart")

// Read returns the session of that name. The store checks its signature and its age. The keys
// "user", "login" and "cart" are those of your application.
func Read(store sessions.Store, name string, r *http.Request) (migrate.Old, error) {
	session, err := store.New(r, name)
	var refused securecookie.Error
	if errors.As(err, &refused) && refused.IsDecode() {
		return migrate.Old{}, nil // Forged, expired, or signed with another key.
	}
	if err != nil {
		return migrate.Old{}, err // The store has failed.
	}
	user, _ := session.Values["user"].(string)
	old := migrate.Old{ID: session.ID, User: user, Copy: func(s *core.Session) error {
		value, _ := session.Values["cart"].(string)
		return cart.Set(s, value)
	}}
	if login, ok := session.Values["login"].(int64); ok { // Without it, Options.Undated counts.
		old.Auth.At = time.Unix(login, 0)
	}
	if old.ID != "" {
		old.End = func(context.Context) error {
			session.Options.MaxAge = -1
			return store.Save(r, discard{}, session)
		}
	} else if c, err := r.Cookie(name); err == nil {
		old.ID = c.Value // A session in a cookie has no id, and cannot be ended on the server.
	}
	return old, nil
}

// discard is a response that nobody gets: the bridge removes the cookie, not the store.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
