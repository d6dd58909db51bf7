package sqlstore_test

import (
	"fmt"
	"log"

	"github.com/cloakroom-go/sessions/core/sqlstore"
)

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
