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

// Migrate creates what the store needs in the collection: an index of the subjects, and a TTL index by which the server
// deletes expired documents. It may run at each start, in every process; what is there already stays.
//
// A server without TTL indexes gets an ordinary index instead, for [Store.Purge].
//
// It is an error if the collection cannot keep sessions: a view, a capped or a time series collection, or one whose
// collation would take different keys for the same.
func (s *Store) Migrate(ctx context.Context) error {
	ctx, err := begin(ctx)
	if err != nil {
		return err
	}
	if err := s.checkCollection(ctx); err != nil {
		return err
	}
	// Of the fields of an index only the subject: a touch moves a document within an index of expiries, and a query that
	// walks there meanwhile could miss it.
	subject := mongo.IndexModel{Keys: bson.D{{Key: fieldSubject, Value: 1}}, Options: options.Index().SetSparse(true)}
	if err := s.createIndex(ctx, subject); err != nil {
		return err
	}
	expires := bson.D{{Key: fieldExpires, Value: 1}}
	err = s.createIndex(ctx, mongo.IndexModel{Keys: expires, Options: options.Index().SetExpireAfterSeconds(0)})
	if !unsupported(err) {
		return err
	}
	return s.createIndex(ctx, mongo.IndexModel{Keys: expires})
}

func (s *Store) createIndex(ctx context.Context, index mongo.IndexModel) error {
	_, err := s.collection.Indexes().CreateOne(ctx, index)
	return err
}

// unsupported reports whether a server refused an index because it has no such kind.
func unsupported(err error) bool {
	const (
		cannotCreateIndex   = 67
		commandNotSupported = 115
		notImplemented      = 238
	)
	var refused mongo.ServerError
	return errors.As(err, &refused) &&
		slices.ContainsFunc(refused.ErrorCodes(), func(code int) bool {
			return code == cannotCreateIndex || code == commandNotSupported || code == notImplemented
		})
}

// checkCollection looks at what the collection is, if it exists.
func (s *Store) checkCollection(ctx context.Context) error {
	name, theirs := s.collection.Name(), s.collection.Database()
	ours := options.Database().SetRegistry(bson.NewRegistry()).SetBSONOptions(&options.BSONOptions{})
	database := theirs.Client().Database(theirs.Name(), ours)
	found, err := database.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: name}})
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Name != name {
			continue
		}
		if reason := unfit(&found[i]); reason != "" {
			return fmt.Errorf("sessions: mongostore: the collection %q cannot keep sessions, it %s: use another one", name, reason)
		}
	}
	return nil
}

// unfit says why a collection cannot keep sessions, "" if it can.
func unfit(c *mongo.CollectionSpecification) string {
	if c.Type != "collection" {
		return "is a " + c.Type
	}
	if capped, _ := c.Options.Lookup("capped").BooleanOK(); capped {
		return "is capped"
	}
	if locale, ok := c.Options.Lookup("collation", "locale").StringValueOK(); ok && locale != "simple" {
		return "has the collation " + locale
	}
	return ""
}
