// Counts the visits of each visitor in SQLite, and makes sure that the other stores are there.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/otelsessions"
	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/sqlstore"
	sessions "github.com/cloakroom-go/sessions/nethttp"
)

const visits = sessions.Key[int]("visits")

// The stores that this program does not run with.
var _ = []any{memcachedstore.New, mongostore.New, otelsessions.New, redisstore.New}

func main() {
	folder, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(folder, "sessions.db"))
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := visits.Update(sessions.Get(r), func(n int) int { return n + 1 })
		fmt.Fprintf(w, "visit %d\n", n)
	})
	log.Fatal(http.ListenAndServe("localhost:8080", sessions.New(sessions.Options{Store: store})(page)))
}
