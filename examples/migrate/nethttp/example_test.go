package nethttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	gorilla "github.com/gorilla/sessions"

	"github.com/cloakroom-go/sessions/core/memstore"
	"github.com/cloakroom-go/sessions/core/migrate"
	fromgorilla "github.com/cloakroom-go/sessions/examples/migrate/gorilla"
	bridge "github.com/cloakroom-go/sessions/examples/migrate/nethttp"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

// Example moves a user of gorilla/sessions.
func Example() {
	oldStore := gorilla.NewCookieStore([]byte("a key of thirty-two bytes, for us"))
	deployed := time.Now() // Write the date: time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC)
	store := memstore.New(memstore.Options{})

	m, err := sessions.NewManager(sessions.Options{
		Store:    store,
		Lifetime: 30 * 24 * time.Hour,
		Cookie:   sessions.Cookie{Name: "__Host-id"}, // not the name of the old one
	})
	if err != nil {
		log.Fatal(err)
	}
	b, err := migrate.New(migrate.Options{
		Manager: m,
		Store:   store,
		Old:     sessions.FormerCookie{Name: "old_session"},
		CutOff:  deployed.AddDate(0, 0, 28), // when the last old session has expired
		Undated: deployed.AddDate(0, 0, -1), // old sessions count as of this day
		Shared:  true,                       // while servers with the old library are running
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("User", sessions.Get(r).Subject())
	})
	app := bridge.Sessions(m, b, func(r *http.Request) (migrate.Old, error) {
		return fromgorilla.Read(oldStore, "old_session", r)
	})(mux)

	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), "GET", "/me", http.NoBody)
	old, _ := oldStore.New(r, "old_session")
	old.Values["user"] = "ann"
	_ = oldStore.Save(r, w, old)
	r.Header.Set("Cookie", w.Header().Get("Set-Cookie"))
	w = httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Header().Get("User"), len(w.Result().Cookies()))
	// Output: ann 1
}
