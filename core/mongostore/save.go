package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/cloakroom-go/sessions/core/internal/storekit"
	"github.com/cloakroom-go/sessions/core/store"
)

// maxRounds is how often a save that creates a record starts over because the document that
// prevented it has gone. In each round another request has created, changed or deleted it.
const maxRounds = 10

// Save stores rec if the stored version is rec.Version, and returns it with its new version.
// With [store.ErrConflict] it returns the stored record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	next, expires, err := s.prepare(rec)
	if err != nil {
		return store.Record{}, err
	}
	if ctx, err = startCall(ctx); err != nil {
		return store.Record{}, err
	}
	if rec.Expired(time.Now()) {
		return store.Record{}, store.ErrNotFound
	}
	doc := encode(&next, expires)
	var current store.Record
	if rec.Version == 0 {
		current, err = s.create(ctx, next, doc)
	} else {
		current, err = s.replace(ctx, rec.Version, next, doc)
	}
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, store.ErrConflict):
		return current, err
	}
	return store.Record{}, err
}

// prepare validates rec and returns it with its new version and its expiry as stored.
func (s *Store) prepare(rec store.Record) (store.Record, bson.DateTime, error) {
	if err := validateKey(rec.Key); err != nil {
		return rec, 0, err
	}
	if !isName(rec.Subject) {
		return rec, 0, errSubject
	}
	if err := storekit.CheckSize(&rec, s.options.MaxData); err != nil {
		return rec, 0, err
	}
	expires, err := toDate(rec.Expires)
	rec.Expires, rec.Version = fromDate(expires), storekit.NewVersion(rec.Version)
	return rec, expires, err
}

// create inserts the document, or replaces one that has expired. With ErrConflict it returns
// the stored record.
func (s *Store) create(
	ctx context.Context, next store.Record, doc bson.D,
) (store.Record, error) {
	for range maxRounds {
		_, err := s.collection.InsertOne(ctx, doc)
		if !mongo.IsDuplicateKeyError(err) {
			return store.Record{}, redact(err)
		}
		current, err := findRecord(ctx, s.collection, next.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return store.Record{}, err
		case current.Version == next.Version: // the driver sent the insert again
			return store.Record{}, nil
		case !current.Expired(time.Now()):
			return current, store.ErrConflict
		}
		replaced, err := s.replaceMatch(ctx, expired(current.Key, current.Version), doc)
		if err != nil || replaced {
			return store.Record{}, err
		}
	}
	return store.Record{}, store.ErrConflict
}

// replace replaces the document if it has that version and has not expired. With ErrConflict
// it returns the stored record.
func (s *Store) replace(
	ctx context.Context, version uint64, next store.Record, doc bson.D,
) (store.Record, error) {
	replaced, err := s.replaceMatch(ctx, live(next.Key, version), doc)
	if err != nil || replaced {
		return store.Record{}, err
	}
	current, err := findRecord(ctx, s.collection, next.Key)
	switch {
	case err != nil:
		return store.Record{}, err
	case current.Version == next.Version: // the driver sent the write again
		return store.Record{}, nil
	case current.Expired(time.Now()):
		return store.Record{}, store.ErrNotFound
	}
	return current, store.ErrConflict
}

// replaceMatch replaces the document that matches filter, in one atomic command, and reports
// whether there was one.
func (s *Store) replaceMatch(ctx context.Context, filter, doc bson.D) (bool, error) {
	result, err := s.collection.ReplaceOne(ctx, filter, doc)
	if err != nil {
		return false, redact(err)
	}
	return result.MatchedCount > 0, nil
}

// live matches the document under key if it has that version and has not expired.
func live(key string, version uint64) bson.D { return versionFilter(key, version, "$gt") }

// expired matches the document under key if it has that version and has expired.
func expired(key string, version uint64) bson.D { return versionFilter(key, version, "$lte") }

// versionFilter matches the document under key if it has that version and its expiry compares
// with now as the operator says.
func versionFilter(key string, version uint64, operator string) bson.D {
	return bson.D{
		{Key: fieldKey, Value: key},
		{Key: fieldVersion, Value: storekit.SignedVersion(version)},
		{Key: fieldExpires, Value: bson.D{{Key: operator, Value: now()}}},
	}
}
