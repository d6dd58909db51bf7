package sqlstore

import "context"

// Purge deletes expired rows, at most limit of them, and returns how many. With a limit of zero or less it is 500. In
// PostgreSQL rows that others are working on are left for the next time.
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	const batch = 500
	if limit <= 0 {
		limit = batch
	}
	var deleted int64
	err := s.write(ctx, func(ctx context.Context, q querier) (err error) {
		now := clock()
		deleted, err = affected(ctx, q, s.sql.purge, now, now, limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(deleted), nil
}
