package sqlstore

import (
	"context"
	"fmt"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

var (
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Counter = (*Store)(nil)
)

// BySubject returns the unexpired records of one subject.
func (s *Store) BySubject(ctx context.Context, subject string) (recs []store.Record, err error) {
	if subject == "" || !printable(subject) {
		return nil, ctx.Err() // No record can have it.
	}
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		recs, err = queryRecords(ctx, q, s.statements.bySubject, subject, nowMillis())
		return err
	})
	return recs, err
}

// Count returns the number of unexpired records with a key that starts with prefix, in one
// statement. The database has to look at each of them, so the call takes long if there are
// millions.
func (s *Store) Count(ctx context.Context, prefix string) (n int, err error) {
	if !printable(prefix) {
		return 0, ctx.Err() // No key can start with it.
	}
	from, to := storekit.PrefixRange(prefix)
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		n, err = queryInt(ctx, q, s.statements.count, from, to, nowMillis())
		return err
	})
	return n, err
}

// List returns a page of the unexpired records with a key that starts with prefix, in the
// order of their keys. Every page has limit records, except for the last, which may have
// fewer. If limit is zero or less, it is 100, and at most it is 1000.
func (s *Store) List(
	ctx context.Context, prefix, cursor string, limit int,
) (page []store.Record, next string, err error) {
	if !printable(prefix) {
		return nil, "", ctx.Err() // No key can start with it.
	}
	from, to := storekit.PrefixRange(prefix)
	if cursor != "" {
		last, ok := storekit.DecodeCursor(cursor, prefix)
		if !ok || !printable(last) {
			return nil, "", fmt.Errorf(
				"sessions: sqlstore: %.40q is not a cursor of this list", cursor)
		}
		from = last + " " // the first possible key after last
	}
	limit = storekit.PageSize(limit)
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		page, err = queryRecords(ctx, q, s.statements.list, from, to, nowMillis(), limit)
		return err
	})
	if err != nil || len(page) < limit {
		return page, "", err
	}
	return page, storekit.EncodeCursor(page[len(page)-1].Key), nil
}
