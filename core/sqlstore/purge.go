package sqlstore

import (
	"context"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Purger = (*Store)(nil)

// defaultPurge is the number of rows that Purge deletes if there is no limit.
const defaultPurge = 500

// Purge deletes up to limit expired rows and returns how many it deleted. If limit is zero
// or less, it is 500. In PostgreSQL it leaves rows that are locked by others for the next
// time.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		limit = defaultPurge
	}
	var deleted int64
	err := s.write(ctx, func(ctx context.Context, q querier) (err error) {
		now := nowMillis()
		deleted, err = execAffected(ctx, q, s.statements.purge, now, now, limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(deleted), nil
}
