package tests_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/internal/faulttest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

func TestMain(m *testing.M) {
	if faulttest.Serve(openAt) {
		return
	}
	flag.Parse()
	// Most tests wait most of the time, for time to pass or for a server that is away.
	set("test.parallel", "24")
	if addr := exampleAddr(); addr != "" {
		_ = os.Setenv("REDIS_ADDR", addr)
	} else {
		set("test.skip", "^Example")
	}
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}

// exampleAddr returns the address of the server that tests and example share, "" if there is none.
func exampleAddr() (addr string) {
	var missing skipped
	defer func() {
		if r := recover(); r != nil && r != missing {
			panic(r)
		}
	}()
	return testserver.Shared(&noTest{}, testserver.Redis{}).Addr()
}

// noTest stands in for a test where there is none.
type noTest struct{ testing.TB }

type skipped struct{}

func (*noTest) Helper()                  {}
func (*noTest) Context() context.Context { return context.Background() }
func (*noTest) Cleanup(func())           {}
func (*noTest) Skip(...any)              { panic(skipped{}) }
func (*noTest) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (*noTest) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

// openAt opens a store at an address: a URL, or the addresses of a cluster with commas.
func openAt(address string) (store.Store, func() error, error) {
	return openWith(address, 0)
}

// openWith is openAt with a client that repeats calls as often as retries says; 0 is the client's own choice.
func openWith(address string, retries int) (store.Store, func() error, error) {
	p := place{Where: address, Cluster: !strings.Contains(address, "://")}
	client, err := p.client(retries)
	if err != nil {
		return nil, nil, err
	}
	s, err := redisstore.New(client, redisstore.Options{})
	return s, client.Close, err
}

// newRemote starts another process and returns what makes handles in it.
func newRemote(tb testing.TB) func(place) store.Store {
	tb.Helper()
	handle := faulttest.Remote(tb)
	return func(p place) store.Store { return handle(p.Where) }
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"Single": single(t), "Cluster": cluster(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Processes(t, p.Where)
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]place{"Single": single(t), "Cluster": cluster(t), "Valkey": valkey(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faulttest.Accounts(t, openAt, p.Where)
		})
	}
}
