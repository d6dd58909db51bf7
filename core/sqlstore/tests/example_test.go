package tests_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/sqlstore"
)

// Sessions in a file, with a driver that needs no C compiler. A PostgreSQL or a MySQL differs in how it is opened and in
// the dialect.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := visit(filepath.Join(dir, "sessions.db")); err != nil {
		log.Print(err)
	}
	// Output: true pears
}

func visit(path string) error {
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	store, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.SQLite})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := store.Migrate(ctx); err != nil {
		return err
	}

	// This store is what an adapter's Options.Store takes. By hand it goes like this:
	rec, err := store.Save(ctx, core.Record{Key: "session:1", Data: []byte("apples"), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return err
	}
	stale := rec
	rec.Data = []byte("pears")
	if _, err = store.Save(ctx, rec); err != nil {
		return err
	}
	current, err := store.Save(ctx, stale)
	fmt.Println(errors.Is(err, core.ErrConflict), string(current.Data))
	return nil
}
