package bench

import (
	"net/http"
	"strconv"

	gorilla "github.com/gorilla/sessions"
	contrib "github.com/labstack/echo-contrib/v5/session"
	"github.com/labstack/echo/v5"

	"github.com/cloakroom-go/sessions/core"
	sessions "github.com/cloakroom-go/sessions/echov5"
)

// echoV5App returns an app that performs the actions behind some middleware.
func echoV5App(
	env environment, lib library[*echo.Context], middleware ...echo.MiddlewareFunc,
) *app {
	e, ok := echo.New(), []byte(okBody)
	e.Use(middleware...)
	for do := range numActions {
		e.GET(do.path(), func(c *echo.Context) error {
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

func echoV5Subjects() []*subject {
	out := []*subject{
		{onEchoV5, bareName, "", buildFunc(func(env environment) (*app, error) {
			return echoV5App(env, bareLibrary[*echo.Context]{}), nil
		})},
		{onEchoV5, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[*echo.Context]{contextOf: echoV5Context}
			return echoV5App(env, lib, echoV5Baseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(onEchoV5, echoV5Cloakroom)...)
	return append(out, echoContribSubjects(onEchoV5, echoV5ContribApp)...)
}

func echoV5Cloakroom(env environment, m *core.Manager) *app {
	return echoV5App(env, cloakroomLibrary[*echo.Context]{sessions.Get}, sessions.Middleware(m))
}

func echoV5ContribApp(env environment, store gorilla.Store) *app {
	lib := echoContrib[*echo.Context]{
		get: contrib.Get,
		save: func(s *gorilla.Session, c *echo.Context) error {
			return s.Save(c.Request(), c.Response())
		},
	}
	return echoV5App(env, lib, contrib.Middleware(store))
}
