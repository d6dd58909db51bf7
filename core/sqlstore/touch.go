package sqlstore

import (
	"context"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Toucher = (*Store)(nil)

// Touch moves the expiry of the stored record to rec.Expires, never backwards. It uses the
// key, the version and the expiry of rec only.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	if err := checkKey(rec.Key); err != nil {
		return err
	}
	until, err := newExpiry(rec.Expires)
	if err != nil {
		return err
	}
	version := storekit.SignedVersion(rec.Version)
	return s.write(ctx, func(ctx context.Context, q querier) error {
		now := nowMillis()
		var n int64
		if until.Valid {
			n, err = execAffected(ctx, q, s.statements.touch,
				until.Int64, rec.Key, version, now, until.Int64)
		} else {
			n, err = execAffected(ctx, q, s.statements.touchForever, rec.Key, version, now)
		}
		if err != nil || n > 0 {
			return err
		}
		return s.explainTouch(ctx, q, rec.Key, rec.Version, now)
	})
}

// explainTouch finds out why a touch affected no row. That is a success if the record
// expires later anyway.
func (s *Store) explainTouch(
	ctx context.Context, q querier, key string, version uint64, now int64,
) error {
	current, err := queryRecord(ctx, q, s.statements.loadAny, key)
	switch {
	case err != nil:
		return err
	case expiredAt(&current, now):
		return store.ErrNotFound
	case current.Version != version:
		return store.ErrConflict
	}
	return nil
}
