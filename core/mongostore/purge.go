package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var errServerPurges = fmt.Errorf("sessions: mongostore: "+
	"the server deletes expired documents by itself: %w", errors.ErrUnsupported)

// Purge deletes expired documents and returns how many. It deletes at most limit documents.
// The default limit, for zero or less, is 500.
//
// Purge looks at the indexes of the collection first, each time. If there is a TTL index, the
// server deletes expired documents, and Purge returns [errors.ErrUnsupported].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	const defaultLimit = 500
	if limit <= 0 {
		limit = defaultLimit
	}
	ctx, err := startCall(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.checkNoTTLIndex(ctx); err != nil {
		return 0, err
	}
	expired := bson.E{Key: fieldExpires, Value: bson.D{{Key: "$lte", Value: now()}}}
	keys, err := s.findKeys(ctx, bson.D{expired}, limit)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	// The condition is repeated, so that documents saved again in the meantime stay.
	filter := bson.D{{Key: fieldKey, Value: bson.D{{Key: "$in", Value: keys}}}, expired}
	result, err := s.collection.DeleteMany(ctx, filter)
	if err != nil {
		return 0, redact(err)
	}
	return int(result.DeletedCount), nil
}

// checkNoTTLIndex returns errServerPurges if the collection has a TTL index. It does not
// remember the result, because others may create or drop indexes at any time.
func (s *Store) checkNoTTLIndex(ctx context.Context) (err error) {
	indexes, err := s.collection.Indexes().List(ctx)
	if err != nil {
		return redact(err)
	}
	defer func() { err = errors.Join(err, indexes.Close(ctx)) }()
	for indexes.Next(ctx) {
		if isTTLIndex(indexes.Current) {
			return errServerPurges
		}
	}
	return redact(indexes.Err())
}

// isTTLIndex reports whether the server deletes all expired documents by an index with this
// description.
func isTTLIndex(index bson.Raw) bool {
	return !index.Lookup("key", fieldExpires).IsZero() &&
		!index.Lookup("expireAfterSeconds").IsZero() &&
		index.Lookup("partialFilterExpression").IsZero()
}

// findKeys returns the keys of at most limit documents that match filter. A key may have any
// type, because the documents need not be records.
func (s *Store) findKeys(ctx context.Context, filter bson.D, limit int) (keys bson.A, err error) {
	keyOnly := options.Find().SetProjection(bson.D{{Key: fieldKey, Value: 1}})
	docs, err := s.collection.Find(ctx, filter, keyOnly.SetLimit(int64(limit)))
	if err != nil {
		return nil, redact(err)
	}
	var found []bson.D
	if err := docs.All(ctx, &found); err != nil {
		return nil, redact(err)
	}
	for _, doc := range found {
		keys = append(keys, doc[0].Value)
	}
	return keys, nil
}
