package migrate_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	fiberv3 "github.com/gofiber/fiber/v3"
	sessionv3 "github.com/gofiber/fiber/v3/middleware/session"
	"github.com/gofiber/storage/redis/v3"

	"github.com/cloakroom-go/sessions/core/fiberstore"
	"github.com/cloakroom-go/sessions/core/store"
	"github.com/cloakroom-go/sessions/core/storetest"
	"github.com/cloakroom-go/sessions/internal/testserver"
)

var (
	_ fiberstore.Storage = fiber.Storage(nil)
	_ fiberstore.Storage = fiberv3.Storage(nil)
)

// TestFiberStorages runs the suite of stores on storages of Fiber, from one process.
func TestFiberStorages(t *testing.T) {
	t.Parallel()
	for name, storage := range map[string]func(t *testing.T) fiberstore.Storage{
		"memory of v2": func(*testing.T) fiberstore.Storage { return session.New().Storage },
		"memory of v3": func(*testing.T) fiberstore.Storage { return sessionv3.NewStore().Storage },
		"redis":        redisStorage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := fiberstore.New(storage(t), fiberstore.Options{OneProcess: true, AcceptStalls: true})
			if err != nil {
				t.Fatal(err)
			}
			storetest.Run(t, storetest.Config{
				New: func(testing.TB) store.Store { return s }, TooLarge: fiberstore.DefaultMaxData + 1,
			})
		})
	}
}

func redisStorage(t *testing.T) fiberstore.Storage {
	t.Helper()
	host, text, err := net.SplitHostPort(testserver.Shared(t, testserver.Redis{}).Addr())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	s := redis.New(redis.Config{Host: host, Port: port})
	t.Cleanup(func() { _ = s.Close() })
	return s
}
