package bench

import (
	"context"
	"net/http"
	"strconv"

	"github.com/boj/redistore"
	gorilla "github.com/gorilla/sessions"
	contrib "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"
	"github.com/quasoft/memstore"
	"github.com/rbcervilla/redisstore/v9"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/echo"
)

// echoApp returns an app that performs the actions behind some middleware.
func echoApp(
	env environment, lib library[echo.Context], middleware ...echo.MiddlewareFunc,
) *app {
	e, ok := echo.New(), []byte(okBody)
	e.Use(middleware...)
	for do := range numActions {
		e.GET(do.path(), func(c echo.Context) error {
			n, err := perform(lib, do, env.payload, c)
			switch {
			case err != nil:
				return c.String(http.StatusInternalServerError, err.Error())
			case do == actionCounter:
				return c.String(http.StatusOK, strconv.Itoa(n))
			}
			_, err = c.Response().Write(ok)
			return err
		})
	}
	return &app{http: e}
}

func echoSubjects() []*subject {
	const framework, peer = onEcho, "echo-contrib/session"
	out := []*subject{
		{framework, bareName, "", buildFunc(func(env environment) (*app, error) {
			return echoApp(env, bareLibrary[echo.Context]{}), nil
		})},
		{framework, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[echo.Context]{contextOf: echoContext}
			return echoApp(env, lib, echoBaseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(framework, echoCloakroom)...)
	return append(out,
		&subject{framework, peer, inMemory, buildFunc(func(env environment) (*app, error) {
			return echoContribApp(env, memstore.NewMemStore([]byte(signingKey))), nil
		})},
		&subject{framework, peer + " (rbcervilla)", inRedis, buildFunc(echoContribRbcervillaApp)},
		&subject{framework, peer + " (boj)", inRedis, buildFunc(echoContribBojApp)},
	)
}

func echoCloakroom(env environment, m *core.Manager) *app {
	return echoApp(env, cloakroomLibrary[echo.Context]{sessions.Get}, sessions.Middleware(m))
}

func echoContribApp(env environment, store gorilla.Store) *app {
	return echoApp(env, echoContrib{}, contrib.Middleware(store))
}

func echoContribRbcervillaApp(env environment) (*app, error) {
	client := newClient(env)
	store, err := redisstore.NewRedisStore(context.Background(), client)
	if err != nil {
		return nil, err
	}
	out := echoContribApp(env, store)
	out.closers = append(out.closers, func() { _ = client.Close() })
	return out, nil
}

func echoContribBojApp(env environment) (*app, error) {
	store, err := redistore.NewRediStoreWithDB(
		10, "tcp", env.redis, "", "", strconv.Itoa(env.db), []byte(signingKey),
	)
	if err != nil {
		return nil, err
	}
	store.SetMaxLength(0) // no limit; the default is 4 KiB
	out := echoContribApp(env, store)
	out.closers = append(out.closers, func() { _ = store.Close() })
	return out, nil
}

// echoContrib implements library with echo-contrib/session.
type echoContrib struct{}

func (echoContrib) start(c echo.Context, p *payload) error {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return err
	}
	for _, key := range p.keys {
		s.Values[key] = p.value
	}
	s.Values[counterKey] = 1
	return s.Save(c.Request(), c.Response())
}

func (echoContrib) read(c echo.Context) (int, error) {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return 0, err
	}
	n, _ := s.Values[counterKey].(int)
	return n, nil
}

func (echoContrib) change(c echo.Context) error {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return err
	}
	n, ok := s.Values[counterKey].(int)
	if !ok {
		return errNotLoaded
	}
	s.Values[counterKey] = n + 1
	return s.Save(c.Request(), c.Response())
}

func (echoContrib) create(c echo.Context) error {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return err
	}
	s.Values[counterKey] = 1
	return s.Save(c.Request(), c.Response())
}
