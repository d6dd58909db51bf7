package tests_test

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/cloakroom-go/sessions/core/mongostore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func TestFaults(t *testing.T) {
	if testserver.Shared(t, testserver.Mongo{}).External() {
		t.Skip("the server is not ours to break")
	}
	faulttest.Faults(t, faulttest.Backend{
		Name: "FerretDB", Open: openAt, Kill: faulttest.Nothing,
		Conns: maxConns + 2, // and the driver's own two
		Start: func(tb testing.TB) (*testserver.Server, string) {
			tb.Helper()
			server := testserver.Start(tb, testserver.Mongo{})
			p := place{newDatabase(tb, server), "sessions"}
			migrated(tb, p.collection(tb, options.Client()), quiet())
			return server, p.address()
		},
		Deny: func(_ *testserver.Server, address string) string {
			return strings.Replace(address, "mongodb://", "mongodb://nobody:"+faulttest.WrongPassword+"@", 1)
		},
	})
}

// calls are all calls there are, as a request would make them.
func calls(s *mongostore.Store, rec store.Record) map[string]func(ctx context.Context) error {
	return faulttest.Calls(s, rec)
}

func eventually(t *testing.T, failure string, ok func() bool) {
	t.Helper()
	faulttest.Eventually(t, failure, ok)
}
