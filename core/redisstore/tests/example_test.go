package tests_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cloakroom-go/sessions/core"
	"github.com/cloakroom-go/sessions/core/redisstore"
)

// Sessions in Redis. For Sentinel and for a cluster only the first line differs: redis.NewFailoverClient,
// redis.NewClusterClient.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR"), ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()
	store, err := redisstore.New(client, redisstore.Options{})
	if err != nil {
		log.Print(err)
		return
	}

	// This store is what an adapter's Options.Store takes. By hand it goes like this:
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rec, err := store.Save(ctx, core.Record{Key: "session:1", Data: []byte("apples"), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		log.Print(err)
		return
	}
	stale := rec
	rec.Data = []byte("pears")
	if _, err = store.Save(ctx, rec); err != nil {
		log.Print(err)
	}
	current, err := store.Save(ctx, stale)
	fmt.Println(errors.Is(err, core.ErrConflict), string(current.Data))
	// Output: true pears
}
