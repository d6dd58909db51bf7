package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// createAttempts is how often a create tries again because the record that was in its way
// has disappeared. Before each attempt another call has created, purged or deleted one.
const createAttempts = 10

// Save stores rec if its version is still the stored one. With [store.ErrConflict] it
// returns the current record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	next, expires, err := s.prepare(rec)
	if err != nil {
		return store.Record{}, err
	}
	var current store.Record
	err = s.write(ctx, func(ctx context.Context, q querier) (err error) {
		switch now := nowMillis(); {
		case rec.Expired(time.Now()):
			return store.ErrNotFound
		case rec.Version == 0:
			current, err = s.create(ctx, q, next, expires)
		default:
			current, err = s.replace(ctx, q, rec.Version, next, expires, now)
		}
		return err
	})
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, store.ErrConflict):
		return current, err
	}
	return store.Record{}, err
}

// prepare checks rec and returns it as it will be stored, with a new version.
func (s *Store) prepare(rec store.Record) (store.Record, expiry, error) {
	if err := checkKey(rec.Key); err != nil {
		return rec, expiry{}, err
	}
	if !printable(rec.Subject) {
		return rec, expiry{}, errSubject
	}
	if err := storekit.CheckSize(&rec, s.options.MaxData); err != nil {
		return rec, expiry{}, err
	}
	if rec.Data == nil {
		rec.Data = []byte{} // nil would be NULL
	}
	expires, err := newExpiry(rec.Expires)
	rec.Expires, rec.Version = expires.time(), storekit.NewVersion(rec.Version)
	return rec, expires, err
}

// create inserts a row for next, or replaces an expired one. It returns the current record
// with [store.ErrConflict].
func (s *Store) create(
	ctx context.Context, q querier, next store.Record, expires expiry,
) (current store.Record, err error) {
	version := storekit.SignedVersion(next.Version)
	for range createAttempts {
		n, err := execAffected(ctx, q, s.statements.insert,
			next.Key, next.Subject, next.Data, expires.NullInt64, version)
		if err != nil || n > 0 {
			return store.Record{}, err
		}
		current, err = queryRecord(ctx, q, s.statements.loadAny, next.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return store.Record{}, err
		case current.Version == next.Version:
			return store.Record{}, nil // The driver sent the insert twice, as it lost the reply.
		}
		now := nowMillis()
		if !expiredAt(&current, now) {
			return current, store.ErrConflict
		}
		n, err = execAffected(ctx, q, s.statements.replaceExpired,
			next.Subject, next.Data, expires.NullInt64, version,
			next.Key, storekit.SignedVersion(current.Version), now)
		if err != nil || n > 0 {
			return store.Record{}, err
		}
	}
	return store.Record{}, store.ErrConflict
}

// replace updates the row of that version with next, or finds out why it cannot. It returns
// the current record with [store.ErrConflict].
func (s *Store) replace(
	ctx context.Context, q querier, version uint64, next store.Record, expires expiry, now int64,
) (store.Record, error) {
	n, err := execAffected(ctx, q, s.statements.replace,
		next.Subject, next.Data, expires.NullInt64, storekit.SignedVersion(next.Version),
		next.Key, storekit.SignedVersion(version), now)
	if err != nil || n > 0 {
		return store.Record{}, err
	}
	current, err := queryRecord(ctx, q, s.statements.loadAny, next.Key)
	switch {
	case err != nil:
		return store.Record{}, err
	case current.Version == next.Version:
		return store.Record{}, nil // The driver sent the update twice, as it lost the reply.
	case expiredAt(&current, now):
		return store.Record{}, store.ErrNotFound
	}
	return current, store.ErrConflict
}
