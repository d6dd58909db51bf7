package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/cloakroom-go/sessions/core/store"
)

// querier runs statements. It is a database, a connection or a statement cache.
type querier interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// operation is the part of a call that talks to the database. It may run more than once;
// only the last run counts.
type operation func(ctx context.Context, q querier) error

// execAffected runs a statement and returns the number of rows that it affected.
func execAffected(ctx context.Context, q querier, text string, args ...any) (int64, error) {
	result, err := q.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// queryRecords runs a query and returns its rows as records.
func queryRecords(
	ctx context.Context, q querier, text string, args ...any,
) (recs []store.Record, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var rec store.Record
		var expires expiry
		var version int64
		err := rows.Scan(&rec.Key, &rec.Subject, &rec.Data, &expires.NullInt64, &version)
		if err != nil {
			return nil, err
		}
		rec.Expires, rec.Version = expires.time(), uint64(max(version, 0))
		recs = append(recs, rec)
	}
	return recs, rows.Err()
}

// queryRecord runs a query for at most one row and returns it as a record. It returns
// [store.ErrNotFound] if there is no row.
func queryRecord(
	ctx context.Context, q querier, text string, args ...any,
) (store.Record, error) {
	recs, err := queryRecords(ctx, q, text, args...)
	if err != nil {
		return store.Record{}, err
	}
	if len(recs) == 0 {
		return store.Record{}, store.ErrNotFound
	}
	return recs[0], nil
}

// queryInt runs a query and returns the number that is its only result.
func queryInt(ctx context.Context, q querier, text string, args ...any) (n int, err error) {
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
