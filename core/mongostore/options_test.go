package mongostore_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/cloakroom-go/sessions/core/mongostore"
)

// collection is one on a server that nobody needs.
func collection(t *testing.T) *mongo.Collection {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	return client.Database("app").Collection("sessions")
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	given := collection(t)
	yes := true
	for want, o := range map[string]mongostore.Options{
		"MaxData is -1":       {MaxData: -1},
		"MaxData is 16777216": {MaxData: 16 << 20},
		"asks for no answer":  {WriteConcern: writeconcern.Unacknowledged()},
		"contradicts itself":  {WriteConcern: &writeconcern.WriteConcern{W: -1, Journal: &yes}},
	} {
		if s, err := mongostore.New(given, o); s != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want an error with %q", o, err, want)
		}
	}
	if s, err := mongostore.New(nil, mongostore.Options{}); s != nil || err == nil || !strings.Contains(err.Error(), "is nil") {
		t.Errorf("New(nil) = %v, want an error", err)
	}
}

func TestNewAccepts(t *testing.T) {
	t.Parallel()
	given := collection(t)
	for _, o := range []mongostore.Options{
		{},
		{MaxData: 16<<20 - 8<<10, WriteConcern: writeconcern.Journaled(), Linearizable: true},
		{WriteConcern: writeconcern.W1()},
	} {
		if s, err := mongostore.New(given, o); s == nil || err != nil {
			t.Errorf("New(%+v) = %v", o, err)
		}
	}
}
