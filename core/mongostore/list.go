package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// unexpired is the condition that a document has not expired.
func unexpired() bson.E {
	return bson.E{Key: fieldExpires, Value: bson.D{{Key: "$gt", Value: now()}}}
}

// BySubject returns the records of a subject.
func (s *Store) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	ctx, err := startCall(ctx)
	if err != nil {
		return nil, err
	}
	if subject == "" || !isName(subject) {
		return nil, nil // no record has this subject
	}
	filter := bson.D{{Key: fieldSubject, Value: subject}, unexpired()}
	page, _, err := s.query(ctx, filter, options.Find(), math.MaxInt)
	return page, err
}

// List returns a page of the records whose keys start with prefix, in the order of their keys.
// The default limit, for zero or less, is 100. The maximum is 1000.
func (s *Store) List(
	ctx context.Context, prefix, cursor string, limit int,
) (page []store.Record, next string, err error) {
	if ctx, err = startCall(ctx); err != nil {
		return nil, "", err
	}
	if !isName(prefix) {
		return nil, "", nil // no key has this prefix
	}
	keys := keyRange(prefix)
	if cursor != "" {
		last, ok := storekit.DecodeCursor(cursor, prefix)
		if !ok || !utf8.ValidString(last) {
			return nil, "", fmt.Errorf(
				"sessions: mongostore: %.40q is not a cursor of this list", cursor)
		}
		keys[0] = bson.E{Key: "$gt", Value: last}
	}
	limit = storekit.PageSize(limit)
	find := options.Find().SetSort(bson.D{{Key: fieldKey, Value: 1}}).SetLimit(int64(limit))
	filter := bson.D{{Key: fieldKey, Value: keys}, unexpired()}
	page, last, err := s.query(ctx, filter, find, limit)
	if err != nil || last == "" {
		return page, "", err
	}
	return page, storekit.EncodeCursor(last), nil
}

// query returns the records that match filter. If it finds limit documents, it also returns
// the key of the last one.
func (s *Store) query(
	ctx context.Context, filter bson.D, find *options.FindOptionsBuilder, limit int,
) (all []store.Record, last string, err error) {
	batch := int32(min(limit, storekit.MaxPageSize)) //nolint:gosec // at most MaxPageSize
	docs, err := s.collection.Find(ctx, filter, find.SetBatchSize(batch))
	if err != nil {
		return nil, "", redact(err)
	}
	defer func() { err = errors.Join(err, docs.Close(ctx)) }()
	found := 0
	for ; docs.Next(ctx); found++ {
		if rec, ok := decode(docs.Current); ok {
			all = append(all, rec)
		}
		last, _ = docs.Current.Lookup(fieldKey).StringValueOK()
	}
	if found < limit {
		last = ""
	}
	return all, last, redact(docs.Err())
}

// keyRange returns the condition that a key starts with prefix, as a range. Unlike a pattern,
// a range uses the index, and no character of the prefix has a special meaning.
func keyRange(prefix string) bson.D {
	from, to := storekit.PrefixRange(prefix)
	return bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}
}
