package redisstore_test

import (
	"context"
	"errors"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core/redisstore"
	"github.com/cloakroom-go/sessions/core/store"
)

// Sessions in Redis. For Sentinel the client is that of redis.NewFailoverClient, for a cluster that of
// redis.NewClusterClient.
func Example() { //nolint:testableexamples // It needs a server.
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()

	s, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Print(err)
		return
	}
	// It is what the manager of your framework's package takes:
	//
	//	m, err := sessions.NewManager(sessions.Options{Store: s})
	_, err = s.Load(ctx, "session:01a20951-3754-7a65-809f-e47fa2a37483")
	log.Print(errors.Is(err, store.ErrNotFound)) // true: there is no such session
}
