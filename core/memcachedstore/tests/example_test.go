package tests_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

// TestExample gives the example a server to run against.
func TestExample(t *testing.T) {
	t.Parallel()
	if out, err := visit(testserver.Shared(t, roomy()).Addr()); err != nil || out != "true pears" {
		t.Errorf("the example says %q, %v", out, err)
	}
}

// Sessions in memcached. The list of servers has to be the same in all processes.
func Example() { //nolint:testableexamples // it needs a server; TestExample runs the same with one
	out, err := visit("127.0.0.1:11211")
	if err != nil {
		log.Print(err)
	}
	fmt.Println(out)
}

func visit(server string) (string, error) {
	store, err := memcachedstore.New(memcachedstore.Options{Servers: []string{server}})
	if err != nil {
		return "", err
	}
	defer func() { _ = store.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	// This store is what an adapter's Options.Store takes. By hand it goes like this:
	rec, err := store.Save(ctx, core.Record{Key: "session:1", Data: []byte("apples"), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return "", err
	}
	stale := rec
	rec.Data = []byte("pears")
	if _, err = store.Save(ctx, rec); err != nil {
		return "", err
	}
	current, err := store.Save(ctx, stale)
	return fmt.Sprint(errors.Is(err, core.ErrConflict), " ", string(current.Data)), store.Delete(ctx, rec.Key)
}
