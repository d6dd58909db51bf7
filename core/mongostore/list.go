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
	page, _, err := s.queryRecords(ctx, filter, options.Find(), math.MaxInt)
	return page, err
}

// SubjectKeys returns a page of the keys of a subject's records, in their order. The server reads
// limit documents at most, and the page lacks those of them that have expired. A document that is
// not a record counts as one if its key, subject and expiry could be those of one. The default
// limit, for zero or less, is 100. The maximum is 1000.
func (s *Store) SubjectKeys(
	ctx context.Context, subject, cursor string, limit int,
) (keys []string, next string, err error) {
	if ctx, err = startCall(ctx); err != nil {
		return nil, "", err
	}
	if subject == "" || !isName(subject) {
		return nil, "", nil // no record has this subject
	}
	after := "" // before all keys
	if cursor != "" {
		var ok bool
		after, ok = storekit.DecodeSubjectCursor(cursor, subject)
		if !ok || after == "" || !utf8.ValidString(after) {
			return nil, "", fmt.Errorf(
				"sessions: mongostore: %.40q is not a cursor of this subject", cursor)
		}
	}
	keys, last, err := s.queryKeys(ctx, subject, after, storekit.PageSize(limit))
	if err != nil {
		return nil, "", err
	}
	if last != "" {
		next = storekit.EncodeSubjectCursor(subject, last)
	}
	return keys, next, nil
}

// queryKeys returns the keys of the unexpired ones of the first limit documents of a subject
// after a key. If there are limit documents, it also returns the key of the last one.
func (s *Store) queryKeys(
	ctx context.Context, subject, after string, limit int,
) (keys []string, last string, err error) {
	filter := bson.D{
		{Key: fieldSubject, Value: subject},
		{Key: fieldKey, Value: bson.D{{Key: "$gt", Value: after}}},
	}
	// The order is that of the index, so the server does not have to sort. A negative limit asks
	// for one batch, and no cursor that a second command would have to close.
	find := options.Find().SetLimit(-int64(limit)).
		SetSort(bson.D{{Key: fieldSubject, Value: 1}, {Key: fieldKey, Value: 1}}).
		SetProjection(bson.D{{Key: fieldKey, Value: 1}, {Key: fieldExpires, Value: 1}})
	at := now()
	last, err = s.query(ctx, filter, find, limit, func(doc bson.Raw) {
		if key, ok := decodeKey(doc, at); ok {
			keys = append(keys, key)
		}
	})
	return keys, last, err
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
	page, last, err := s.queryRecords(ctx, filter, find, limit)
	if err != nil || last == "" {
		return page, "", err
	}
	return page, storekit.EncodeCursor(last), nil
}

// queryRecords returns the records that match filter. If it finds limit documents, it also
// returns the key of the last one.
func (s *Store) queryRecords(
	ctx context.Context, filter bson.D, find *options.FindOptionsBuilder, limit int,
) (all []store.Record, last string, err error) {
	last, err = s.query(ctx, filter, find, limit, func(doc bson.Raw) {
		if rec, ok := decode(doc); ok {
			all = append(all, rec)
		}
	})
	return all, last, err
}

// query calls visit with each document that matches filter. The document is valid until visit
// returns. If query finds limit documents, it returns the key of the last one.
func (s *Store) query(
	ctx context.Context, filter bson.D, find *options.FindOptionsBuilder, limit int,
	visit func(doc bson.Raw),
) (last string, err error) {
	batch := int32(min(limit, storekit.MaxPageSize)) //nolint:gosec // at most MaxPageSize
	docs, err := s.collection.Find(ctx, filter, find.SetBatchSize(batch))
	if err != nil {
		return "", redact(err)
	}
	defer func() { err = errors.Join(err, docs.Close(ctx)) }()
	found := 0
	for ; docs.Next(ctx); found++ {
		visit(docs.Current)
		last, _ = docs.Current.Lookup(fieldKey).StringValueOK()
	}
	if found < limit {
		last = ""
	}
	return last, redact(docs.Err())
}

// keyRange returns the condition that a key starts with prefix, as a range. Unlike a pattern,
// a range uses the index, and no character of the prefix has a special meaning.
func keyRange(prefix string) bson.D {
	from, to := storekit.PrefixRange(prefix)
	return bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}
}
