package tests_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func TestMain(m *testing.M) {
	if faulttest.Serve(openAt) {
		return
	}
	os.Exit(m.Run())
}

// openAt opens a store on the servers at an address, which is a list with commas. Its own timeout is of no help to calls
// that pay no attention to their context.
func openAt(address string) (store.Store, func() error, error) {
	s, err := memcachedstore.New(memcachedstore.Options{Servers: strings.Split(address, ","), Timeout: time.Hour})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(servers []string) store.Store {
	tb.Helper()
	handle := faulttest.Remote(tb)
	return func(servers []string) store.Store { return handle(strings.Join(servers, ",")) }
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	faulttest.Processes(t, testserver.Shared(t, roomy()).Addr())
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	faulttest.Accounts(t, openAt, testserver.Shared(t, roomy()).Addr())
}
