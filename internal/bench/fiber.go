package bench

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gofiber/storage/redis/v3"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/fiber"
)

// fiberApp returns an app that performs the actions behind some middleware.
func fiberApp(env environment, lib library[*fiber.Ctx], middleware ...fiber.Handler) *app {
	f := fiber.New(fiber.Config{DisableStartupMessage: true})
	for _, h := range middleware {
		f.Use(h)
	}
	for do := range numActions {
		f.Get(do.path(), func(c *fiber.Ctx) error {
			n, err := perform(lib, do, env.payload, c)
			switch {
			case err != nil:
				return c.Status(http.StatusInternalServerError).SendString(err.Error())
			case do == actionCounter:
				return c.SendString(strconv.Itoa(n))
			}
			return c.SendString(okBody)
		})
	}
	return &app{fast: f.Handler()}
}

func fiberSubjects() []*subject {
	const framework, peer = onFiber, "Fiber session"
	out := []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return fiberApp(env, bareLibrary[*fiber.Ctx]{}), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[*fiber.Ctx]{contextOf: fiberContext}
			return fiberApp(env, lib, fiberBaseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(framework, fiberCloakroom)...)
	return append(out,
		&subject{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			return fiberSessionApp(env, session.Config{}), nil
		})},
		&subject{framework, peer, inRedis, buildFunc(func(env environment) (*app, error) {
			return fiberSessionApp(env, session.Config{Storage: fiberRedis(env)}), nil
		})},
	)
}

// fiberRedis returns the Redis storage of the Fiber project, which has its own client.
func fiberRedis(env environment) *redis.Storage {
	return redis.New(redis.Config{URL: "redis://" + env.redis + "/" + strconv.Itoa(env.db)})
}

func fiberCloakroom(env environment, m *core.Manager) *app {
	return fiberApp(env, cloakroomLibrary[*fiber.Ctx]{sessions.Get}, sessions.Middleware(m))
}

func fiberSessionApp(env environment, config session.Config) *app {
	store := session.New(config)
	out := fiberApp(env, fiberSession{store})
	out.closers = append(out.closers, func() { _ = store.Storage.Close() })
	return out
}

// fiberSession implements library with Fiber's own middleware/session.
type fiberSession struct{ store *session.Store }

func (f fiberSession) start(c *fiber.Ctx, p *payload) error {
	s, err := f.store.Get(c)
	if err != nil {
		return err
	}
	for _, key := range p.keys {
		s.Set(key, p.value)
	}
	s.Set(counterKey, 1)
	return s.Save()
}

func (f fiberSession) read(c *fiber.Ctx) (int, error) {
	s, err := f.store.Get(c)
	if err != nil {
		return 0, err
	}
	n, _ := s.Get(counterKey).(int)
	return n, nil
}

func (f fiberSession) change(c *fiber.Ctx) error {
	s, err := f.store.Get(c)
	if err != nil {
		return err
	}
	n, ok := s.Get(counterKey).(int)
	if !ok {
		return errNotLoaded
	}
	s.Set(counterKey, n+1)
	return s.Save()
}

func (f fiberSession) create(c *fiber.Ctx) error {
	s, err := f.store.Get(c)
	if err != nil {
		return err
	}
	s.Set(counterKey, 1)
	return s.Save()
}
