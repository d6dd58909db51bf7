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

// fiberSite mounts the actions behind some middleware.
func fiberSite(w world, lib library[*fiber.Ctx], use ...fiber.Handler) *site {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	for _, h := range use {
		app.Use(h)
	}
	for a := range actions {
		app.Get(a.path(), func(c *fiber.Ctx) error {
			n, err := perform(lib, a, w.payload, c)
			switch {
			case err != nil:
				return c.Status(http.StatusInternalServerError).SendString(err.Error())
			case a == value:
				return c.SendString(strconv.Itoa(n))
			}
			return c.SendString(okBody)
		})
	}
	return &site{fast: app.Handler()}
}

func fiberContenders() []*contender {
	const name, peer = "Fiber", "Fiber session"
	out := []*contender{
		{name, bareFramework, "", buildFunc(func(w world) (*site, error) { return fiberSite(w, bare[*fiber.Ctx]{}), nil })},
		{name, cookieKept, "", buildFunc(func(w world) (*site, error) {
			return fiberSite(w, keeping[*fiber.Ctx]{context: fiberContext}, fiberKeep), nil
		})},
	}
	out = append(out, ourContenders(name, mountFiber)...)
	return append(out,
		&contender{name, peer, memoryStore, buildFunc(func(w world) (*site, error) {
			return fiberSessionSite(w, session.Config{}), nil
		})},
		&contender{name, peer, redisStore, buildFunc(func(w world) (*site, error) {
			url := "redis://" + w.redis + "/" + strconv.Itoa(w.db)
			return fiberSessionSite(w, session.Config{Storage: redis.New(redis.Config{URL: url})}), nil
		})},
	)
}

func mountFiber(w world, m *core.Manager) *site {
	return fiberSite(w, ours[*fiber.Ctx]{sessions.Get}, sessions.Middleware(m))
}

func fiberSessionSite(w world, config session.Config) *site {
	store := session.New(config)
	out := fiberSite(w, fiberSession{store})
	out.end = append(out.end, func() { _ = store.Storage.Close() })
	return out
}

// fiberSession is Fiber's own middleware/session.
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
