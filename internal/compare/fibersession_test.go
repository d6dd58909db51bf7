package compare

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	fiberv3 "github.com/gofiber/fiber/v3"
	fiberv3session "github.com/gofiber/fiber/v3/middleware/session"
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
	key = strings.Clone(key) // Fiber v3's is part of the request, whose buffer Fiber reuses.
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
	return serveFiber(t, app.Listener, app.ShutdownWithTimeout)
}

// fiberV3Storage is fiberStorage for Fiber v3.
type fiberV3Storage struct{ fiberStorage }

func (s *fiberV3Storage) GetWithContext(_ context.Context, key string) ([]byte, error) {
	return s.Get(key)
}

func (s *fiberV3Storage) SetWithContext(_ context.Context, key string, value []byte, ttl time.Duration) error {
	return s.Set(key, value, ttl)
}

func (s *fiberV3Storage) DeleteWithContext(_ context.Context, key string) error { return s.Delete(key) }

func (s *fiberV3Storage) ResetWithContext(context.Context) error { return s.Reset() }

// fiberV3Session is a session of Fiber v3's middleware, which saves it, so save does nothing.
type fiberV3Session struct{ m *fiberv3session.Middleware }

func (v fiberV3Session) get(key string) any { return v.m.Get(key) }

func (v fiberV3Session) set(key string, value any) error { v.m.Set(key, value); return nil }

func (v fiberV3Session) destroy() error { return v.m.Destroy() }

func (v fiberV3Session) save() error { return nil }

func startFiberV3Session(t *testing.T, f *faults, p handler) string {
	t.Helper()
	app := fiberv3.New()
	app.Use(fiberv3session.New(fiberv3session.Config{Storage: &fiberV3Storage{fiberStorage{faults: f}}}))
	app.Get("/", func(c fiberv3.Ctx) error {
		p(fiberV3Session{fiberv3session.FromContext(c)}, fiberResponse{c})
		return nil
	})
	return serveFiberV3(t, app)
}

func serveFiberV3(t *testing.T, app *fiberv3.App) string {
	t.Helper()
	listen := func(l net.Listener) error {
		return app.Listener(l, fiberv3.ListenConfig{DisableStartupMessage: true})
	}
	return serveFiber(t, listen, app.ShutdownWithTimeout)
}
