// Package mongostore keeps sessions in a collection of MongoDB, one document each. It works on a [mongo.Collection] of the
// application's own client.
//
//	client, err := mongo.Connect(options.Client().ApplyURI(uri))
//	...
//	sessions, err := mongostore.New(client.Database("app").Collection("sessions"), mongostore.Options{})
//	...
//	err = sessions.Migrate(ctx)
//
// # What a call costs
//
// Load, Delete, BySubject, a page of List, and Save and Touch that succeed are one command each. Only a Save or a Touch that
// finds something else than it expected asks once more why. Nothing needs transactions, so a single server will do as well
// as a replica set or a sharded cluster, which should be sharded by {_id: "hashed"}.
//
// # A document
//
//	_id  the key
//	v    the version, a random number of 63 bits
//	e    the expiry, a date; the last millisecond of the year 9999 stands for never
//	s    the subject, absent while the session is anonymous
//	d    the data, binary
//
// A version is never used twice for a key, not even after a Delete, and not by another process. It also tells a write from
// others: when a driver repeats a write because it lost the reply, the document has the very version that this save
// chose, and the answer is success instead of a conflict with oneself. A document of another shape counts as absent.
//
// # Reads and writes
//
// Whatever the collection is set to, the store reads from the primary and writes with the concern "majority". A secondary
// lags behind: read from one, a session would be there after its logout, and one just made would not. A write that only
// the primary has is lost when the primary is: the logout that the user saw succeed would never have been. See
// [Options.WriteConcern] and [Options.Linearizable] for less and for more. The store's calls never become part of a
// transaction that the application has put into the context.
//
// # Deadlines
//
// Each call ends with its context, whatever the server does; the manager sets a deadline always. Of a call without one the
// driver's own limits hold: 30 seconds until a server is found (serverSelectionTimeout), and none for the answer.
//
// # Time
//
// Expiry is judged by the clock of the application, to the millisecond, rounded up. An expired document is never
// returned. Deleting it is the server's task where it has TTL indexes: about once a minute, and by the server's clock, so
// a server whose clock is ahead ends sessions early by as much. Elsewhere it is that of [Store.Purge], which the manager
// calls every few minutes.
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

// Store keeps records in a collection. It implements every optional interface of the contract but [store.Instant]. It is
// safe for concurrent use, and so is its collection for others.
type Store struct {
	options    Options
	collection *mongo.Collection
	loads      *mongo.Collection // the same, as Load reads it
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Toucher = (*Store)(nil)
	_ store.Indexer = (*Store)(nil)
	_ store.Lister  = (*Store)(nil)
	_ store.Purger  = (*Store)(nil)
)

// New returns a store on collection. It makes no call to the server: that happens in [Store.Migrate] or with the first
// session.
func New(collection *mongo.Collection, o Options) (*Store, error) {
	if err := o.check(collection); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	own := options.Collection().
		SetReadPreference(readpref.Primary()).
		SetReadConcern(readconcern.Local()).
		SetWriteConcern(o.WriteConcern).
		// The application's own way of encoding its values is no concern of the documents here.
		SetRegistry(bson.NewRegistry()).
		SetBSONOptions(&options.BSONOptions{})
	s := &Store{options: o, collection: collection.Clone(own)}
	s.loads = s.collection
	if o.Linearizable {
		s.loads = s.collection.Clone(options.Collection().SetReadConcern(readconcern.Linearizable()))
	}
	return s, nil
}

// begin is the start of each call. It refuses those that are late and returns the context for the others, without the
// application's session: in a transaction a save could be rolled back, and a load would see the past.
func begin(ctx context.Context) (context.Context, error) {
	if mongo.SessionFromContext(ctx) != nil {
		ctx = mongo.NewSessionContext(ctx, nil)
	}
	return ctx, ctx.Err()
}

// Load returns the record under key.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := checkKey(key); err != nil {
		return store.Record{}, err
	}
	ctx, err := begin(ctx)
	if err != nil {
		return store.Record{}, err
	}
	rec, err := find(ctx, s.loads, key)
	if err == nil && rec.Expired(time.Now()) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, err
	}
	return rec, nil
}

// find returns the record under key, expired or not.
func find(ctx context.Context, from *mongo.Collection, key string) (store.Record, error) {
	raw, err := from.FindOne(ctx, bson.D{{Key: fieldKey, Value: key}}).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Record{}, store.ErrNotFound
	}
	if err != nil {
		return store.Record{}, bare(err)
	}
	rec, ok := decode(raw)
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	return rec, nil
}

// Delete removes the record under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, err := begin(ctx)
	if err != nil {
		return err
	}
	_, err = s.collection.DeleteOne(ctx, bson.D{{Key: fieldKey, Value: key}})
	return bare(err)
}
