package bench

import (
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/fiberv3"
)

// fiberV3App returns an app that performs the actions behind some middleware.
func fiberV3App(env environment, lib library[fiber.Ctx], middleware ...fiber.Handler) *app {
	f := fiber.New()
	for _, h := range middleware {
		f.Use(h)
	}
	for do := range numActions {
		f.Get(do.path(), func(c fiber.Ctx) error {
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

func fiberV3Subjects() []*subject {
	const framework, peer = onFiberV3, "Fiber v3 session"
	out := []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return fiberV3App(env, bareLibrary[fiber.Ctx]{}), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[fiber.Ctx]{contextOf: fiberV3Context}
			return fiberV3App(env, lib, fiberV3Baseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(framework, fiberV3Cloakroom)...)
	return append(out,
		&subject{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			return fiberV3SessionApp(env, session.Config{}), nil
		})},
		&subject{framework, peer, inRedis, buildFunc(func(env environment) (*app, error) {
			return fiberV3SessionApp(env, session.Config{Storage: fiberRedis(env)}), nil
		})},
	)
}

func fiberV3Cloakroom(env environment, m *core.Manager) *app {
	return fiberV3App(env, cloakroomLibrary[fiber.Ctx]{sessions.Get}, sessions.Middleware(m))
}

func fiberV3SessionApp(env environment, config session.Config) *app {
	middleware, store := session.NewWithStore(config)
	out := fiberV3App(env, fiberV3Session{}, middleware)
	out.alwaysSaves = true
	out.closers = append(out.closers, func() { _ = store.Storage.Close() })
	return out
}

// fiberV3Session implements library with the middleware/session of Fiber v3, which saves after
// each request.
type fiberV3Session struct{}

func (fiberV3Session) start(c fiber.Ctx, p *payload) error {
	s := session.FromContext(c)
	for _, key := range p.keys {
		s.Set(key, p.value)
	}
	s.Set(counterKey, 1)
	return nil
}

func (fiberV3Session) read(c fiber.Ctx) (int, error) {
	n, _ := session.FromContext(c).Get(counterKey).(int)
	return n, nil
}

func (fiberV3Session) change(c fiber.Ctx) error {
	s := session.FromContext(c)
	n, ok := s.Get(counterKey).(int)
	if !ok {
		return errNotLoaded
	}
	s.Set(counterKey, n+1)
	return nil
}

func (fiberV3Session) create(c fiber.Ctx) error {
	session.FromContext(c).Set(counterKey, 1)
	return nil
}
