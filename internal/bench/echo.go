package bench

import (
	"net/http"
	"strconv"

	gorilla "github.com/gorilla/sessions"
	contrib "github.com/labstack/echo-contrib/session"
	"github.com/labstack/echo/v4"

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
	out := []*subject{
		{onEcho, bareName, "", buildFunc(func(env environment) (*app, error) {
			return echoApp(env, bareLibrary[echo.Context]{}), nil
		})},
		{onEcho, baselineName, "", buildFunc(func(env environment) (*app, error) {
			lib := baselineLibrary[echo.Context]{contextOf: echoContext}
			return echoApp(env, lib, echoBaseline), nil
		})},
	}
	out = append(out, cloakroomSubjects(onEcho, echoCloakroom)...)
	return append(out, echoContribSubjects(onEcho, echoContribApp)...)
}

func echoCloakroom(env environment, m *core.Manager) *app {
	return echoApp(env, cloakroomLibrary[echo.Context]{sessions.Get}, sessions.Middleware(m))
}

func echoContribApp(env environment, store gorilla.Store) *app {
	lib := echoContrib[echo.Context]{
		get: contrib.Get,
		save: func(s *gorilla.Session, c echo.Context) error {
			return s.Save(c.Request(), c.Response())
		},
	}
	return echoApp(env, lib, contrib.Middleware(store))
}
