package mongostore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/store"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// unexpired is the condition of live documents.
func unexpired() bson.E {
	return bson.E{Key: fieldExpires, Value: bson.D{{Key: "$gt", Value: now()}}}
}

// BySubject returns the records of one subject.
func (s *Store) BySubject(ctx context.Context, subject string) ([]store.Record, error) {
	ctx, err := begin(ctx)
	if err != nil {
		return nil, err
	}
	if subject == "" || !plain(subject) {
		return nil, nil // nobody can have it
	}
	page, _, err := s.query(ctx, bson.D{{Key: fieldSubject, Value: subject}, unexpired()}, options.Find(), math.MaxInt)
	return page, err
}

// List returns a page of the records whose keys start with prefix, in the order of their keys. A limit of zero or less is
// 100, one above 1000 is 1000.
func (s *Store) List(ctx context.Context, prefix, cursor string, limit int) (page []store.Record, next string, err error) {
	if ctx, err = begin(ctx); err != nil {
		return nil, "", err
	}
	if !plain(prefix) {
		return nil, "", nil // no key can start with it
	}
	keys := keysWith(prefix)
	if cursor != "" {
		last, err := decodeCursor(cursor, prefix)
		if err != nil {
			return nil, "", err
		}
		keys[0] = bson.E{Key: "$gt", Value: last}
	}
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	order := options.Find().SetSort(bson.D{{Key: fieldKey, Value: 1}}).SetLimit(int64(limit))
	page, last, err := s.query(ctx, bson.D{{Key: fieldKey, Value: keys}, unexpired()}, order, limit)
	if err != nil || last == "" {
		return page, "", err
	}
	return page, encodeCursor(last), nil
}

// query returns the records that filter finds, and, if it found as many as it may, the key of the last.
func (s *Store) query(ctx context.Context, filter bson.D, find *options.FindOptionsBuilder, limit int) (all []store.Record, last string, err error) {
	cursor, err := s.collection.Find(ctx, filter, find.SetBatchSize(int32(min(limit, maxPage)))) //nolint:gosec // at most maxPage
	if err != nil {
		return nil, "", bare(err)
	}
	defer func() { err = errors.Join(err, cursor.Close(ctx)) }()
	found := 0
	for ; cursor.Next(ctx); found++ {
		if rec, ok := decode(cursor.Current); ok {
			all = append(all, rec)
		}
		last, _ = cursor.Current.Lookup(fieldKey).StringValueOK()
	}
	if found < limit {
		last = ""
	}
	return all, last, bare(cursor.Err())
}

// keysWith returns the range of keys that start with prefix: from the first, and up to what comes after the last. It is a
// range and not a pattern, so that the index serves it and nothing in it has a meaning. Keys have bytes from the space to
// ~ only.
func keysWith(prefix string) bson.D {
	end := "\x7f"
	if prefix != "" {
		last := len(prefix) - 1
		end = prefix[:last] + string(rune(prefix[last]+1))
	}
	return bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: end}}
}

// A cursor is the last key of the page before it, encoded, so that the store remembers nothing between pages.

const cursorMark = "k1:"

func encodeCursor(key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorMark + key))
}

func decodeCursor(cursor, prefix string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	key, ours := strings.CutPrefix(string(text), cursorMark)
	if err != nil || !ours || !utf8.ValidString(key) || !strings.HasPrefix(key, prefix) {
		return "", fmt.Errorf("sessions: mongostore: %.40q is not a cursor of this list", cursor)
	}
	return key, nil
}
