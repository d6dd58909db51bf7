package mongostore_test

import (
	"context"
	"errors"
	"log"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
)

// Sessions in MongoDB.
func Example() { //nolint:testableexamples // It needs a server.
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://localhost:27017"))
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = client.Disconnect(ctx) }()

	s, err := mongostore.New(client.Database("app").Collection("sessions"), mongostore.Options{})
	if err != nil {
		log.Print(err)
		return
	}
	if err := s.Migrate(ctx); err != nil { // makes the indexes that are missing
		log.Print(err)
		return
	}
	// It is what the manager of your framework's package takes:
	//
	//	m, err := sessions.NewManager(sessions.Options{Store: s})
	//	defer m.Close(ctx) // before the store: it deletes expired records
	_, err = s.Load(ctx, "session:01a20951-3754-7a65-809f-e47fa2a37483")
	log.Print(errors.Is(err, store.ErrNotFound)) // true: there is no such session
}
