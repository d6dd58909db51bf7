package tests_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// Sessions in a collection of the application's own client.
func Example() { //nolint:testableexamples // it needs a server; TestExample runs the same with one
	text, err := visit("mongodb://127.0.0.1:27017")
	if err != nil {
		log.Print(err)
	}
	fmt.Println(text) // true pears
}

// TestExample gives the example a server.
func TestExample(t *testing.T) {
	t.Parallel()
	if text, err := visit(testserver.Shared(t, testserver.Mongo{}).URL()); err != nil || text != "true pears" {
		t.Errorf("the example = %q, %v", text, err)
	}
}

func visit(url string) (string, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	defer func() { _ = client.Disconnect(ctx) }()
	store, err := mongostore.New(client.Database("example").Collection("sessions"), mongostore.Options{})
	if err != nil {
		return "", err
	}
	if err := store.Migrate(ctx); err != nil {
		return "", err
	}

	// This store is what an adapter's Options.Store takes. By hand it goes like this:
	rec, err := store.Save(ctx, core.Record{Key: "session:1", Data: []byte("apples"), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return "", err
	}
	defer func() { _ = store.Delete(ctx, rec.Key) }()
	stale := rec
	rec.Data = []byte("pears")
	if _, err = store.Save(ctx, rec); err != nil {
		return "", err
	}
	current, err := store.Save(ctx, stale)
	return fmt.Sprint(errors.Is(err, core.ErrConflict), " ", string(current.Data)), nil
}
