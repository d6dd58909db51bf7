package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	"github.com/cloakroom-go/sessions/core/sqlstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// Sessions in PostgreSQL. The program imports a driver, here github.com/jackc/pgx/v5/stdlib.
func Example() { //nolint:testableexamples // It needs a server and a driver.
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://app@localhost:5432/app")
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = db.Close() }()
	db.SetMaxIdleConns(16) // The default of 2 makes most requests at the same time connect anew.

	s, err := sqlstore.New(db, sqlstore.Options{Dialect: sqlstore.PostgreSQL})
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(ctx); err != nil { // makes the table if it is missing; see Schema
		log.Print(err)
		return
	}
	// It is what the manager of your framework's package takes:
	//
	//	m, err := sessions.NewManager(sessions.Options{Store: s})
	//	defer m.Close(ctx) // before the store: it deletes expired records
	_, err = s.Load(ctx, "session:01a20951-3754-7a65-809f-e47fa2a37483")
	log.Print(errors.Is(err, store.ErrNotFound)) // true: there is no such session
}

// The statements for a migration tool.
func ExampleSchema() {
	texts, err := sqlstore.Schema(sqlstore.PostgreSQL, "sessions")
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range texts {
		fmt.Println(text + ";")
	}
	// Output:
	// CREATE TABLE IF NOT EXISTS "sessions" (
	// 	id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	// 	subject TEXT COLLATE "C" NOT NULL,
	// 	data BYTEA NOT NULL,
	// 	expires BIGINT,
	// 	version BIGINT NOT NULL
	// );
	// CREATE INDEX IF NOT EXISTS "sessions_subject_id" ON "sessions" (subject, id) WHERE subject <> '';
	// CREATE INDEX IF NOT EXISTS "sessions_expires" ON "sessions" (expires);
}
