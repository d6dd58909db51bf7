package migrate_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	scsmem "github.com/alexedwards/scs/v2/memstore"
	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/migrate"
	fromscs "github.com/cloakroom-go/sessions/examples/migrate/scs"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func scsMemory(t *testing.T, shared bool) *application {
	t.Helper()
	return scsApp(t, scsmem.NewWithCleanupInterval(0), shared)
}

func scsRedis(t *testing.T, shared bool) *application {
	t.Helper()
	server := testserver.Shared(t, testserver.Redis{})
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return scsApp(t, goredisstore.NewWithPrefix(client, testserver.Name()+":"), shared)
}

func scsApp(t *testing.T, store scs.Store, shared bool) *application {
	t.Helper()
	m := scs.New()
	m.Store, m.Cookie.Name = store, oldName
	a := &application{ends: true, dated: true}
	a.prepare(t, oldName, shared)
	a.after = newApp(a, func(r *http.Request) (migrate.Old, error) { return fromscs.Read(m, r) })
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := m.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		m.Put(r.Context(), "user", "ann")
		m.Put(r.Context(), "cart", "coat")
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Destroy(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, shown(m.Get(r.Context(), "user"), m.Get(r.Context(), "cart")))
	})
	a.before = m.LoadAndSave(mux)
	return a
}
