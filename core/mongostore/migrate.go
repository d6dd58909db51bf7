package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Migrate creates the indexes that the store needs: one by subject and key, of the documents that
// have a subject, and a TTL index by which the server deletes expired documents. On a server
// without partial or TTL indexes it creates ordinary ones, and [Store.Purge] deletes expired
// documents. Migrate may run at each start, in each process; existing indexes stay.
//
// It returns an error if the collection cannot hold sessions: if it is a view, a capped
// collection or a time series, or if its collation treats different keys as equal.
func (s *Store) Migrate(ctx context.Context) error {
	ctx, err := startCall(ctx)
	if err != nil {
		return err
	}
	if err := s.checkCollection(ctx); err != nil {
		return err
	}
	// The index of subjects does not contain the expiry: a touch would move the document
	// within the index, and a query that reads the index at that time could miss it. It is
	// partial and not sparse, because a sparse index that contains the key contains every
	// document.
	subjects := bson.D{{Key: fieldSubject, Value: 1}, {Key: fieldKey, Value: 1}}
	signedIn := bson.D{{Key: fieldSubject, Value: bson.D{{Key: "$exists", Value: true}}}}
	partial := options.Index().SetPartialFilterExpression(signedIn)
	if err := s.createIndex(ctx, subjects, partial); err != nil {
		return err
	}
	expires := bson.D{{Key: fieldExpires, Value: 1}}
	return s.createIndex(ctx, expires, options.Index().SetExpireAfterSeconds(0))
}

// createIndex creates an index with an option, or without it on a server that does not support
// the option.
func (s *Store) createIndex(
	ctx context.Context, keys bson.D, option *options.IndexOptionsBuilder,
) error {
	indexes := s.collection.Indexes()
	_, err := indexes.CreateOne(ctx, mongo.IndexModel{Keys: keys, Options: option})
	if isUnsupported(err) {
		_, err = indexes.CreateOne(ctx, mongo.IndexModel{Keys: keys})
	}
	return err
}

// isUnsupported reports whether a server refused to create an index because it does not
// support that kind.
func isUnsupported(err error) bool {
	const (
		cannotCreateIndex   = 67
		commandNotSupported = 115
		notImplemented      = 238
	)
	var refused mongo.ServerError
	return errors.As(err, &refused) &&
		slices.ContainsFunc(refused.ErrorCodes(), func(code int) bool {
			return code == cannotCreateIndex || code == commandNotSupported ||
				code == notImplemented
		})
}

// checkCollection returns an error if the collection exists and cannot hold sessions.
func (s *Store) checkCollection(ctx context.Context) error {
	name, database := s.collection.Name(), s.collection.Database()
	// The application's settings for the encoding of values do not apply here either.
	settings := options.Database().
		SetRegistry(bson.NewRegistry()).
		SetBSONOptions(&options.BSONOptions{})
	database = database.Client().Database(database.Name(), settings)
	found, err := database.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Name != name {
			continue
		}
		if defect := defectOf(&found[i]); defect != "" {
			return fmt.Errorf("sessions: mongostore: "+
				"the collection %q cannot keep sessions, it %s: use another one", name, defect)
		}
	}
	return nil
}

// defectOf returns why a collection cannot hold sessions, or "" if it can.
func defectOf(c *mongo.CollectionSpecification) string {
	if c.Type != "collection" {
		return "is a " + c.Type
	}
	if capped, _ := c.Options.Lookup("capped").BooleanOK(); capped {
		return "is capped"
	}
	locale, ok := c.Options.Lookup("collation", "locale").StringValueOK()
	if ok && locale != "simple" {
		return "has the collation " + locale
	}
	return ""
}
