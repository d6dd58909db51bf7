// Command one-domain is the recipe of docs/recipes/one-domain.md: several applications on net/http
// that share a domain. The shop and the desk have users of their own; the blog and the forum share
// theirs.
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// ownOptions returns those of an application whose users nobody else knows.
func ownOptions(name string, store sessions.Store) sessions.Options {
	return sessions.Options{
		Store:  store,
		Prefix: name + ":",                              // in the store
		Cookie: sessions.Cookie{Name: "__Host-" + name}, // in the browser
	}
}

// memberOptions returns those of each application below a domain that lets the same users in.
func memberOptions(domain string, store sessions.Store) sessions.Options {
	return sessions.Options{
		Store:  store,
		Prefix: "member:",
		Cookie: sessions.Cookie{Name: "__Secure-member", Domain: domain},
	}
}

func main() {
	domain := cmp.Or(os.Getenv("DOMAIN"), "example.com")
	handler, managers, err := newSite(domain, memstore.New(memstore.Options{}))
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{
		Addr: "localhost:8080", Handler: handler, ReadHeaderTimeout: 10 * time.Second,
	}
	err = server.ListenAndServe()
	for _, m := range managers {
		_ = m.Close(context.Background())
	}
	log.Fatal(err)
}

// newSite is the applications of a domain: the shop and the desk on one host, the blog and the
// forum on a host each.
func newSite(domain string, store sessions.Store) (http.Handler, []*sessions.Manager, error) {
	shop, err1 := sessions.NewManager(ownOptions("shop", store))
	desk, err2 := sessions.NewManager(ownOptions("desk", store))
	members, err3 := sessions.NewManager(memberOptions(domain, store))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(domain+"/shop/", http.StripPrefix("/shop", application(shop)))
	mux.Handle(domain+"/desk/", http.StripPrefix("/desk", application(desk)))
	mux.Handle("blog."+domain+"/", application(members))
	mux.Handle("forum."+domain+"/", application(members))
	return mux, []*sessions.Manager{shop, desk, members}, nil
}

// application is one that lets everybody in.
func application(m *sessions.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		user := cmp.Or(sessions.Get(r).Subject(), "nobody")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, user) //nolint:gosec // plain text
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		err := sessions.Get(r).SignIn(r.Context(), user, sessions.SignIn{})
		if err != nil {
			http.Error(w, "you are not signed in", core.StatusCode(err))
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Get(r).Destroy()
	})
	own := http.NewCrossOriginProtection() // The neighbours are other origins, but the same site.
	return own.Handler(sessions.Middleware(m)(mux))
}
