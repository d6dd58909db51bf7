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

// attempts bounds how often a save looks again after the document that was in its way is not any more. Each time somebody
// else created, expired or deleted one in between.
const attempts = 10

// Save stores rec if its version is still the stored one. With [store.ErrConflict] it returns the current record.
func (s *Store) Save(ctx context.Context, rec store.Record) (store.Record, error) {
	next, expires, err := s.prepare(rec)
	if err != nil {
		return store.Record{}, err
	}
	if ctx, err = begin(ctx); err != nil {
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

// prepare checks rec and returns it as it will be stored.
func (s *Store) prepare(rec store.Record) (store.Record, bson.DateTime, error) {
	if err := checkKey(rec.Key); err != nil {
		return rec, 0, err
	}
	if !plain(rec.Subject) {
		return rec, 0, errSubject
	}
	if len(rec.Data) > s.options.MaxData {
		return rec, 0, tooLarge(len(rec.Data), s.options.MaxData)
	}
	expires, err := date(rec.Expires)
	rec.Expires, rec.Version = instant(expires), storekit.NewVersion(rec.Version)
	return rec, expires, err
}

// create inserts the document, or takes the place of one that has expired.
func (s *Store) create(ctx context.Context, next store.Record, doc bson.D) (store.Record, error) {
	for range attempts {
		_, err := s.collection.InsertOne(ctx, doc)
		if !mongo.IsDuplicateKeyError(err) {
			return store.Record{}, bare(err)
		}
		current, err := find(ctx, s.collection, next.Key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil || current.Version == next.Version:
			return store.Record{}, err // without an error: the driver had sent the insert before, and lost the reply
		case !current.Expired(time.Now()):
			return current, store.ErrConflict
		}
		done, err := s.put(ctx, expired(current.Key, current.Version), doc)
		if err != nil || done {
			return store.Record{}, err
		}
	}
	return store.Record{}, store.ErrConflict
}

// replace takes the place of a live document of that version, or says why it did not.
func (s *Store) replace(ctx context.Context, version uint64, next store.Record, doc bson.D) (store.Record, error) {
	done, err := s.put(ctx, live(next.Key, version), doc)
	if err != nil || done {
		return store.Record{}, err
	}
	current, err := find(ctx, s.collection, next.Key)
	switch {
	case err != nil || current.Version == next.Version:
		return store.Record{}, err // without an error: the driver had sent the replacement before, and lost the reply
	case current.Expired(time.Now()):
		return store.Record{}, store.ErrNotFound
	}
	return current, store.ErrConflict
}

// put replaces the document that filter finds and reports whether there was one. The server does both in one step.
func (s *Store) put(ctx context.Context, filter, doc bson.D) (bool, error) {
	result, err := s.collection.ReplaceOne(ctx, filter, doc)
	if err != nil {
		return false, bare(err)
	}
	return result.MatchedCount > 0, nil
}

// live finds the document under key while it has that version and has not expired.
func live(key string, version uint64) bson.D { return edition(key, version, "$gt") }

// expired finds the document under key if it has that version and has expired.
func expired(key string, version uint64) bson.D { return edition(key, version, "$lte") }

func edition(key string, version uint64, comparison string) bson.D {
	return bson.D{
		{Key: fieldKey, Value: key},
		{Key: fieldVersion, Value: storekit.SignedVersion(version)},
		{Key: fieldExpires, Value: bson.D{{Key: comparison, Value: now()}}},
	}
}

// Touch moves the expiry of the stored record to that of rec, never backwards. It reads no more of rec than key, version
// and expiry.
func (s *Store) Touch(ctx context.Context, rec store.Record) error {
	if err := checkKey(rec.Key); err != nil {
		return err
	}
	until, err := date(rec.Expires)
	if err != nil {
		return err
	}
	if ctx, err = begin(ctx); err != nil {
		return err
	}
	later := bson.D{{Key: "$max", Value: bson.D{{Key: fieldExpires, Value: until}}}}
	result, err := s.collection.UpdateOne(ctx, live(rec.Key, rec.Version), later)
	if err != nil || result.MatchedCount > 0 {
		return bare(err)
	}
	return s.untouched(ctx, rec)
}

// untouched says why a touch found nothing to move.
func (s *Store) untouched(ctx context.Context, rec store.Record) error {
	current, err := find(ctx, s.collection, rec.Key)
	switch {
	case err != nil:
		return err
	case current.Expired(time.Now()):
		return store.ErrNotFound
	case current.Version == rec.Version:
		return nil // extended by somebody else in between, by another clock
	}
	return store.ErrConflict
}
