package sqlstore

import (
	"context"
	"fmt"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

var (
	_ store.Indexer      = (*Store)(nil)
	_ store.SubjectPager = (*Store)(nil)
	_ store.Lister       = (*Store)(nil)
	_ store.Counter      = (*Store)(nil)
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

// SubjectKeys returns a page of the keys of one subject's unexpired records, in their order. The
// database reads limit rows at most, and the page lacks those of them that have expired. If limit
// is zero or less, it is 100, and at most it is 1000.
func (s *Store) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	if subject == "" || !printable(subject) {
		return nil, "", ctx.Err() // No record can have it.
	}
	after := "" // before all keys
	if cursor != "" {
		var ok bool
		after, ok = storekit.DecodeSubjectCursor(cursor, subject)
		if !ok || checkKey(after) != nil {
			return nil, "", fmt.Errorf(
				"sessions: sqlstore: %.40q is not a cursor of this subject", cursor)
		}
	}
	limit = storekit.PageSize(limit)
	var rows []store.Record
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		rows, err = queryRecords(ctx, q, s.statements.subjectKeys, subject, after, limit)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(rows) == limit && rows[limit-1].Subject == subject {
		next = storekit.EncodeSubjectCursor(subject, rows[limit-1].Key)
	}
	return liveKeys(rows, subject, nowMillis()), next, nil
}

// liveKeys returns the keys of the subject's records that have not expired.
func liveKeys(recs []store.Record, subject string, now int64) (keys []string) {
	for i := range recs {
		if recs[i].Subject == subject && !expiredAt(&recs[i], now) {
			keys = append(keys, recs[i].Key)
		}
	}
	return keys
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
