package sqlstore

import (
	"context"
	"errors"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count returns how many records have a key that starts with prefix, in one statement. The database looks at each of them,
// so with millions of sessions it takes its time.
func (s *Store) Count(ctx context.Context, prefix string) (n int, err error) {
	if !plain(prefix) {
		return 0, ctx.Err() // no key can start with it
	}
	from, to := bounds(prefix)
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		n, err = scalar(ctx, q, s.sql.count, from, to, clock())
		return err
	})
	return n, err
}

// scalar runs a query and returns the number that is its only result.
func scalar(ctx context.Context, q querier, text string, args ...any) (n int, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	return n, errors.Join(err, rows.Err())
}
