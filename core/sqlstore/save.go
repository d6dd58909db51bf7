package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// createAttempts bounds how often a create looks again after the record that was in its way is gone. Each time somebody
// else created, expired or deleted one in between.
const createAttempts = 10

// Save stores rec if its version is still the stored one. With [store.ErrConflict] it returns the current record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	next, expires, err := s.prepare(rec)
	if err != nil {
		return store.Record{}, err
	}
	var current store.Record
	err = s.write(ctx, func(ctx context.Context, q querier) (err error) {
		switch now := clock(); {
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

// prepare checks rec and returns it as it will be stored.
func (s *Store) prepare(rec store.Record) (store.Record, expiry, error) {
	if err := checkKey(rec.Key); err != nil {
		return rec, expiry{}, err
	}
	if !plain(rec.Subject) {
		return rec, expiry{}, errors.New("sessions: sqlstore: the subject is not printable ASCII of at most 255 bytes")
	}
	if len(rec.Data) > s.options.MaxData {
		return rec, expiry{}, tooLarge(len(rec.Data), s.options.MaxData)
	}
	if rec.Data == nil {
		rec.Data = []byte{} // nil would be NULL
	}
	expires, err := newExpiry(rec.Expires)
	rec.Expires, rec.Version = expires.time(), storekit.NewVersion(rec.Version)
	return rec, expires, err
}

// create inserts the record, or takes the place of one that has expired.
func (s *Store) create(ctx context.Context, q querier, next store.Record, expires expiry) (current store.Record, err error) {
	for range createAttempts {
		n, err := affected(ctx, q, s.sql.insert, next.Key, next.Subject, next.Data, expires.NullInt64, storekit.SignedVersion(next.Version))
		if err != nil || n > 0 {
			return store.Record{}, err
		}
		current, err = one(ctx, q, s.sql.look, next.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil || current.Version == next.Version:
			return store.Record{}, err
		}
		now := clock()
		if !over(&current, now) {
			return current, store.ErrConflict
		}
		n, err = affected(ctx, q, s.sql.revive, next.Subject, next.Data, expires.NullInt64, storekit.SignedVersion(next.Version),
			next.Key, storekit.SignedVersion(current.Version), now)
		if err != nil || n > 0 {
			return store.Record{}, err
		}
	}
	return store.Record{}, store.ErrConflict
}

// replace updates the row, or says why it did not.
func (s *Store) replace(ctx context.Context, q querier, version uint64, next store.Record, expires expiry, now int64) (store.Record, error) {
	n, err := affected(ctx, q, s.sql.replace, next.Subject, next.Data, expires.NullInt64, storekit.SignedVersion(next.Version),
		next.Key, storekit.SignedVersion(version), now)
	if err != nil || n > 0 {
		return store.Record{}, err
	}
	current, err := one(ctx, q, s.sql.look, next.Key)
	switch {
	case err != nil:
		return store.Record{}, err
	case current.Version == next.Version:
		return store.Record{}, nil // the driver had sent the update before, and lost the reply
	case over(&current, now):
		return store.Record{}, store.ErrNotFound
	}
	return current, store.ErrConflict
}

// over reports whether a row that was read has expired.
func over(rec *store.Record, now int64) bool {
	return !rec.Expires.IsZero() && rec.Expires.UnixMilli() <= now
}

// Touch moves the expiry of the stored record to that of rec, never backwards. It reads no more of rec than key and
// version.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	if err := checkKey(rec.Key); err != nil {
		return err
	}
	until, err := newExpiry(rec.Expires)
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, q querier) error {
		now := clock()
		var n int64
		if until.Valid {
			n, err = affected(ctx, q, s.sql.touch, until.Int64, rec.Key, storekit.SignedVersion(rec.Version), now, until.Int64)
		} else {
			n, err = affected(ctx, q, s.sql.touchForever, rec.Key, storekit.SignedVersion(rec.Version), now)
		}
		if err != nil || n > 0 {
			return err
		}
		return s.untouched(ctx, q, rec.Key, rec.Version, now)
	})
}

// untouched says why a touch moved nothing. It is success when the record lives longer anyway.
func (s *Store) untouched(ctx context.Context, q querier, key string, version uint64, now int64) error {
	current, err := one(ctx, q, s.sql.look, key)
	switch {
	case err != nil:
		return err
	case over(&current, now):
		return store.ErrNotFound
	case current.Version != version:
		return store.ErrConflict
	}
	return nil
}
