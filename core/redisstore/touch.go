package redisstore

import (
	"context"
	"time"

	"github.com/cloakroom-go/sessions/core/store"
)

// Touch extends the expiry of the stored record to rec.Expires if its version is rec.Version.
// It never shortens it.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	now := time.Now()
	if s.options.Sharded {
		if err := s.addToIndex(ctx, &rec, now); err != nil {
			return err
		}
	}
	reply, err := s.scripts.touch.Run(ctx, s.client, s.scriptKeys(&rec),
		versionPrefix(rec.Version), now.UnixMilli(),
		appendExpiry(nil, rec.Expires), ttlMillis(rec.Expires, now)).Text()
	switch {
	case err != nil:
		return s.wrapError(ctx, "touch", err)
	case reply == replyGone:
		return store.ErrNotFound
	case reply == replyConflict:
		return store.ErrConflict
	}
	return nil
}
