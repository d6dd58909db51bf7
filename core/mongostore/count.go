package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/cloakroom-go/sessions/core/store"
)

var _ store.Counter = (*Store)(nil)

// Count returns how many documents have a key that starts with prefix, in one command. The server counts what the index
// gives it; that a document is none of ours, which List finds out, it does not notice.
func (s *Store) Count(ctx context.Context, prefix string) (int, error) {
	ctx, err := begin(ctx)
	if err != nil {
		return 0, err
	}
	if !plain(prefix) {
		return 0, nil // no key can start with it
	}
	n, err := s.collection.CountDocuments(ctx, bson.D{{Key: fieldKey, Value: keysWith(prefix)}, unexpired()})
	if err != nil {
		return 0, bare(err)
	}
	return int(n), nil
}
