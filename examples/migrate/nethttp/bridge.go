// Package nethttp is the bridge for net/http. The packages gorilla, scs and flask have the
// functions that read the old session.
package nethttp

import (
	"context"
	"log"
	"net"
	"net/http"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/migrate"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// Read returns the old session of a request.
type Read func(*http.Request) (migrate.Old, error)

// Sessions is sessions.Middleware(m) with a bridge. It stands in its place.
func Sessions(m *sessions.Manager, b *migrate.Bridge, read Read) func(http.Handler) http.Handler {
	session := sessions.Middleware(m)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ip, _, _ := net.SplitHostPort(r.RemoteAddr) // Behind a proxy: the address it forwards.
			entry, err := b.Enter(r.Context(), migrate.NewRequest(r.Method, ip, r.Header),
				func(context.Context) (migrate.Old, error) { return read(r) })
			if err != nil {
				log.Print(err)
				status := core.StatusCode(err)
				http.Error(w, http.StatusText(status), status)
				return
			}
			if entry.Cookie != "" {
				r = r.Clone(r.Context())
				r.Header.Set("Cookie", entry.Cookie)
			}
			for _, value := range entry.SetCookie {
				w.Header().Add("Set-Cookie", value)
			}
			inside := func(w http.ResponseWriter, r *http.Request) {
				entry.SendCookie(r.Context())
				next.ServeHTTP(w, r)
			}
			session(http.HandlerFunc(inside)).ServeHTTP(w, r)
			if err := entry.Leave(r.Context(), w.Header()["Set-Cookie"]); err != nil {
				log.Print(err)
			}
		})
	}
}
