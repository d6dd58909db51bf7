package tests_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// place tells a process where a store's data is.
type place struct {
	URL, Collection string
}

// newPlace is a new collection on the server that all tests share.
func newPlace(tb testing.TB) place {
	tb.Helper()
	return place{sharedURL(tb), testserver.Name()}
}

// sharedURL is a new database on the server that all tests share.
func sharedURL(tb testing.TB) string {
	tb.Helper()
	return newDatabase(tb, testserver.Shared(tb, testserver.Mongo{}))
}

// newDatabase returns the URL of a new database. On a server that goes on after the tests it is dropped.
func newDatabase(tb testing.TB, server *testserver.Server) string {
	tb.Helper()
	url := server.Database(tb)
	if server.External() {
		client := connect(tb, options.Client().ApplyURI(url))
		name, ctx := database(tb, url), context.WithoutCancel(tb.Context())
		tb.Cleanup(func() {
			if err := client.Database(name).Drop(ctx); err != nil {
				tb.Errorf("dropping the database %s = %v", name, err)
			}
		})
	}
	return url
}

// connect returns a client that disconnects with the test.
func connect(tb testing.TB, o *options.ClientOptions) *mongo.Client {
	tb.Helper()
	client, err := mongo.Connect(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { disconnect(tb, client) })
	return client
}

func disconnect(tb testing.TB, client *mongo.Client) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
	defer cancel()
	if err := client.Disconnect(ctx); err != nil {
		tb.Errorf("Disconnect = %v", err)
	}
}

// database returns the name of the database in a URL.
func database(tb testing.TB, url string) string {
	tb.Helper()
	parsed, err := connstring.Parse(url)
	if err != nil {
		tb.Fatal(err)
	}
	return parsed.Database
}

// newCollection is a new collection of a client of its own.
func newCollection(tb testing.TB) *mongo.Collection {
	tb.Helper()
	p := newPlace(tb)
	return p.collection(tb, options.Client())
}

func (p place) collection(tb testing.TB, o *options.ClientOptions) *mongo.Collection {
	tb.Helper()
	return connect(tb, o.ApplyURI(p.URL)).Database(database(tb, p.URL)).Collection(p.Collection)
}

func newStore(tb testing.TB, collection *mongo.Collection, o mongostore.Options) *mongostore.Store {
	tb.Helper()
	s, err := mongostore.New(collection, o)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// migrated is newStore with its indexes.
func migrated(tb testing.TB, collection *mongo.Collection, o mongostore.Options) *mongostore.Store {
	tb.Helper()
	s := newStore(tb, collection, o)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// quiet are the options of tests that are about something else.
func quiet() mongostore.Options { return mongostore.Options{} }

// record returns a record to create.
func record(key string) store.Record {
	return store.Record{Key: key, Subject: "somebody", Data: []byte("data of " + key), Expires: time.Now().Add(time.Hour)}
}
