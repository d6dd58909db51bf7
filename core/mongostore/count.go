package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Count returns how many documents that have not expired have a key that starts with prefix,
// in one command. It also counts documents that are not records, which List leaves out.
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	ctx, err := startCall(ctx)
	if err != nil {
		return 0, err
	}
	if !isName(prefix) {
		return 0, nil // no key has this prefix
	}
	filter := bson.D{{Key: fieldKey, Value: keyRange(prefix)}, unexpired()}
	n, err := s.collection.CountDocuments(ctx, filter)
	if err != nil {
		return 0, redact(err)
	}
	return int(n), nil
}
