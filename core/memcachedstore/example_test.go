package memcachedstore_test

import (
	"context"
	"errors"
	"log"

	"github.com/cloakroom-go/sessions/core/memcachedstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// Sessions in memcached. The servers have to be the same in all processes.
func Example() { //nolint:testableexamples // It needs a server.
	ctx := context.Background()
	s, err := memcachedstore.New(memcachedstore.Options{Servers: []string{"localhost:11211"}})
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = s.Close() }()

	// It is what the manager of your framework's package takes:
	//
	//	m, err := sessions.NewManager(sessions.Options{Store: s})
	_, err = s.Load(ctx, "session:01a20951-3754-7a65-809f-e47fa2a37483")
	log.Print(errors.Is(err, store.ErrNotFound)) // true: there is no such session
}
