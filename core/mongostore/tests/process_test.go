package tests_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
)

func TestMain(m *testing.M) {
	if faulttest.Serve(openAt) {
		return
	}
	os.Exit(m.Run())
}

// maxConns bounds the pools of the fault tests' clients.
const maxConns = 24

// address is the place as text.
func (p place) address() string {
	text, _ := json.Marshal(p)
	return string(text)
}

// openAt opens a store at an address, with a client of its own.
func openAt(address string) (store.Store, func() error, error) {
	var p place
	if err := json.Unmarshal([]byte(address), &p); err != nil {
		return nil, nil, err
	}
	parsed, err := connstring.Parse(p.URL)
	if err != nil {
		return nil, nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(p.URL).SetMaxPoolSize(maxConns))
	if err != nil {
		return nil, nil, err
	}
	s, err := mongostore.New(client.Database(parsed.Database).Collection(p.Collection), quiet())
	return s, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return client.Disconnect(ctx)
	}, err
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	handle := faulttest.Remote(tb)
	return func(p place) store.Store { return handle(p.address()) }
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	faulttest.Processes(t, newPlace(t).address())
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	faulttest.Accounts(t, openAt, newPlace(t).address())
}
