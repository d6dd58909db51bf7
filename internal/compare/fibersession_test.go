package compare

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
)

// fiberStorage is a map, since Fiber's own memory storage cannot be wrapped from outside.
type fiberStorage struct {
	lockedMap
	faults *faults
}

func (s *fiberStorage) Get(key string) ([]byte, error) {
	if err := s.faults.onLoad(); err != nil {
		return nil, err
	}
	return s.load(key), nil
}

func (s *fiberStorage) Set(key string, value []byte, _ time.Duration) error {
	if err := s.faults.onSave(); err != nil {
		return err
	}
	s.faults.key.Store(key)
	s.store(key, value)
	return nil
}

func (s *fiberStorage) Delete(key string) error { s.remove(key); return nil }

func (s *fiberStorage) Reset() error { return nil }

func (s *fiberStorage) Close() error { return nil }

type fiberSession struct{ s *fibersession.Session }

func (v fiberSession) get(key string) any { return v.s.Get(key) }

func (v fiberSession) set(key string, value any) error { v.s.Set(key, value); return nil }

func (v fiberSession) destroy() error { return v.s.Destroy() }

func (v fiberSession) save() error { return v.s.Save() }

func startFiberSession(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	store := fibersession.New(fibersession.Config{Storage: &fiberStorage{faults: f}})
	app.Get("/", func(c *fiber.Ctx) error {
		s, err := store.Get(c)
		if err != nil {
			c.Set(errorHeader, err.Error())
			return err
		}
		p(fiberSession{s}, fiberResponse{c})
		return nil
	})
	return serveFiber(t, app)
}
