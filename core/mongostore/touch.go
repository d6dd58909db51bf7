package mongostore

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/cloakroom-go/sessions/core/store"
)

// Touch extends the expiry of the stored record to rec.Expires if its version is rec.Version.
// It never shortens it.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	if err := validateKey(rec.Key); err != nil {
		return err
	}
	expires, err := toDate(rec.Expires)
	if err != nil {
		return err
	}
	if ctx, err = startCall(ctx); err != nil {
		return err
	}
	extend := bson.D{{Key: "$max", Value: bson.D{{Key: fieldExpires, Value: expires}}}}
	result, err := s.collection.UpdateOne(ctx, live(rec.Key, rec.Version), extend)
	if err != nil || result.MatchedCount > 0 {
		return redact(err)
	}
	return s.explainMiss(ctx, rec)
}

// explainMiss returns the result of a touch that matched no document.
func (s *Store) explainMiss(ctx context.Context, rec store.Record) error {
	current, err := findRecord(ctx, s.collection, rec.Key)
	switch {
	case err != nil:
		return err
	case current.Expired(time.Now()):
		return store.ErrNotFound
	case current.Version == rec.Version:
		return nil // another process, whose clock differs, has extended it in the meantime
	}
	return store.ErrConflict
}
