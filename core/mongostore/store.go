package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/cloakroom-go/sessions/core/store"
)

// Store is a store in a collection of MongoDB. It implements every optional interface of the
// contract except [store.Instant]. It is safe for concurrent use. It does not have to be
// closed.
type Store struct {
	options        Options
	collection     *mongo.Collection
	loadCollection *mongo.Collection // collection with the read concern of Load
}

var (
	_ store.Store        = (*Store)(nil)
	_ store.Toucher      = (*Store)(nil)
	_ store.Indexer      = (*Store)(nil)
	_ store.SubjectPager = (*Store)(nil)
	_ store.Lister       = (*Store)(nil)
	_ store.Purger       = (*Store)(nil)
	_ store.Counter      = (*Store)(nil)
)

// New returns a store that uses collection. It does not contact the server. It returns an
// error if an option is invalid.
func New(collection *mongo.Collection, o Options) (*Store, error) {
	if err := o.validate(collection); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	settings := options.Collection().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Local()).
		SetWriteConcern(o.WriteConcern).
		// The application's settings for the encoding of values do not apply to these
		// documents.
		SetRegistry(bson.NewRegistry()).
		SetBSONOptions(&options.BSONOptions{})
	s := &Store{options: o, collection: collection.Clone(settings)}
	s.loadCollection = s.collection
	if o.Linearizable {
		linearizable := options.Collection().SetReadConcern(readconcern.Linearizable())
		s.loadCollection = s.collection.Clone(linearizable)
	}
	return s, nil
}

// startCall returns the context for the commands of a call, and an error if it has ended
// already. The context has no session of the application: in a transaction a save could be
// rolled back, and a load could return an old record.
func startCall(ctx context.Context) (context.Context, error) {
	if mongo.SessionFromContext(ctx) != nil {
		ctx = mongo.NewSessionContext(ctx, nil)
	}
	return ctx, ctx.Err()
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := validateKey(key); err != nil {
		return store.Record{}, err
	}
	ctx, err := startCall(ctx)
	if err != nil {
		return store.Record{}, err
	}
	rec, err := findRecord(ctx, s.loadCollection, key)
	if err == nil && rec.Expired(time.Now()) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return rec, nil
}

// findRecord returns the record under key, even if it has expired.
func findRecord(
	ctx context.Context, collection *mongo.Collection, key string,
) (store.Record, error) {
	raw, err := collection.FindOne(ctx, bson.D{{Key: fieldKey, Value: key}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, redact(err)
	}
	rec, ok := decode(raw)
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	return rec, nil
}

// Delete removes the record under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := validateKey(key); err != nil {
		return err
	}
	ctx, err := startCall(ctx)
	if err != nil {
		return err
	}
	_, err = s.collection.DeleteOne(ctx, bson.D{{Key: fieldKey, Value: key}})
	return redact(err)
}
