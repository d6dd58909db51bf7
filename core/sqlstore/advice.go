package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Adviser = (*Store)(nil)

// adviceTimeout bounds how long Advice keeps connections of a limited pool from the application.
const adviceTimeout = time.Second

// idleByDefault is how many idle connections a pool keeps whose SetMaxIdleConns nobody called.
const idleByDefault = 2

// Advice returns a sentence if the pool keeps two idle connections at most, as it does by
// default. It opens one connection more than that at the same time to find out, unless the pool
// is too small or too busy for that.
func (s *Store) Advice(ctx context.Context) string {
	before := s.db.Stats()
	if limit := before.MaxOpenConnections; limit > 0 {
		if limit-before.InUse <= idleByDefault {
			return ""
		}
		limited, cancel := context.WithTimeout(ctx, adviceTimeout)
		defer cancel()
		ctx = limited
	}
	if !openTogether(ctx, s.db, idleByDefault+1) {
		return ""
	}
	// A pool that keeps none has been told so, as by OpenDBFromPool of pgx.
	after := s.db.Stats()
	if after.MaxIdleClosed == before.MaxIdleClosed || after.Idle == 0 {
		return ""
	}
	return "the pool of the sql.DB keeps two idle connections at most, so that most requests " +
		"wait for a new connection: set SetMaxIdleConns to as many as are usually busy"
}

// openTogether opens n connections at the same time and returns them to the pool. It reports
// false if one cannot be had.
func openTogether(ctx context.Context, db *sql.DB, n int) bool {
	if n == 0 {
		return true
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	return openTogether(ctx, db, n-1)
}
