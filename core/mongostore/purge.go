package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// errTTL is the answer where there is nothing to purge.
var errTTL = fmt.Errorf("sessions: mongostore: the server deletes expired documents by itself: %w", errors.ErrUnsupported)

// Purge deletes expired documents, at most limit of them, and returns how many. With a limit of zero or less it is 500. It
// looks at the collection's indexes first: where one is a TTL index the server does it, and the answer is
// [errors.ErrUnsupported].
func (s *Store) Purge(ctx context.Context, limit int) (int, error) {
	const batch = 500
	if limit <= 0 {
		limit = batch
	}
	ctx, err := begin(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.needsPurge(ctx); err != nil {
		return 0, err
	}
	over := bson.E{Key: fieldExpires, Value: bson.D{{Key: "$lte", Value: now()}}}
	keys, err := s.keys(ctx, bson.D{over}, limit)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	// What has been created or saved anew under such a key meanwhile stays.
	result, err := s.collection.DeleteMany(ctx, bson.D{{Key: fieldKey, Value: bson.D{{Key: "$in", Value: keys}}}, over})
	if err != nil {
		return 0, bare(err)
	}
	return int(result.DeletedCount), nil
}

// needsPurge returns errTTL if the server deletes what has expired. It asks each time: who made the indexes, and when, is
// nothing that this process need know of.
func (s *Store) needsPurge(ctx context.Context) (err error) {
	cursor, err := s.collection.Indexes().List(ctx)
	if err != nil {
		return bare(err)
	}
	defer func() { err = errors.Join(err, cursor.Close(ctx)) }()
	for cursor.Next(ctx) {
		if expiring(cursor.Current) {
			return errTTL
		}
	}
	return bare(cursor.Err())
}

// expiring reports whether an index, as the server describes it, is one by which it deletes all expired documents.
func expiring(index bson.Raw) bool {
	return !index.Lookup("key", fieldExpires).IsZero() && !index.Lookup("expireAfterSeconds").IsZero() &&
		index.Lookup("partialFilterExpression").IsZero()
}

// keys returns the keys of at most limit documents that filter finds. A key need not be one of ours.
func (s *Store) keys(ctx context.Context, filter bson.D, limit int) (keys bson.A, err error) {
	only := options.Find().SetProjection(bson.D{{Key: fieldKey, Value: 1}}).SetLimit(int64(limit))
	cursor, err := s.collection.Find(ctx, filter, only)
	if err != nil {
		return nil, bare(err)
	}
	var found []bson.D
	if err := cursor.All(ctx, &found); err != nil {
		return nil, bare(err)
	}
	for _, doc := range found {
		keys = append(keys, doc[0].Value)
	}
	return keys, nil
}
