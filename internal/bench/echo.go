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

// echoSite mounts the actions behind some middleware.
func echoSite(w world, lib library[echo.Context], use ...echo.MiddlewareFunc) *site {
	e, ok := echo.New(), []byte(okBody)
	e.Use(use...)
	for a := range actions {
		e.GET(a.path(), func(c echo.Context) error {
			n, err := perform(lib, a, w.payload, c)
			switch {
			case err != nil:
				return c.String(http.StatusInternalServerError, err.Error())
			case a == value:
				return c.String(http.StatusOK, strconv.Itoa(n))
			}
			_, err = c.Response().Write(ok)
			return err
		})
	}
	return &site{http: e}
}

func echoContenders() []*contender {
	const name, peer = "Echo", "echo-contrib/session"
	out := []*contender{
		{name, bareFramework, "", buildFunc(func(w world) (*site, error) { return echoSite(w, bare[echo.Context]{}), nil })},
		{name, cookieKept, "", buildFunc(func(w world) (*site, error) {
			return echoSite(w, keeping[echo.Context]{context: echoContext}, echoKeep), nil
		})},
	}
	out = append(out, ourContenders(name, mountEcho)...)
	return append(out,
		&contender{name, peer, memoryStore, buildFunc(func(w world) (*site, error) {
			return gorillaSite(w, memstore.NewMemStore([]byte(signingKey))), nil
		})},
		&contender{name, peer + " (rbcervilla)", redisStore, buildFunc(rbcervillaSite)},
		&contender{name, peer + " (boj)", redisStore, buildFunc(bojSite)},
	)
}

func mountEcho(w world, m *core.Manager) *site {
	return echoSite(w, ours[echo.Context]{sessions.Get}, sessions.Middleware(m))
}

func gorillaSite(w world, store gorilla.Store) *site {
	return echoSite(w, contribEcho{}, contrib.Middleware(store))
}

func rbcervillaSite(w world) (*site, error) {
	client := newClient(w)
	store, err := redisstore.NewRedisStore(context.Background(), client)
	if err != nil {
		return nil, err
	}
	out := gorillaSite(w, store)
	out.end = append(out.end, func() { _ = client.Close() })
	return out, nil
}

func bojSite(w world) (*site, error) {
	store, err := redistore.NewRediStoreWithDB(10, "tcp", w.redis, "", "", strconv.Itoa(w.db), []byte(signingKey))
	if err != nil {
		return nil, err
	}
	store.SetMaxLength(0) // by default 4 KiB are too much
	out := gorillaSite(w, store)
	out.end = append(out.end, func() { _ = store.Close() })
	return out, nil
}

// contribEcho is echo-contrib/session.
type contribEcho struct{}

func (contribEcho) start(c echo.Context, p *payload) error {
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

func (contribEcho) read(c echo.Context) (int, error) {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return 0, err
	}
	n, _ := s.Values[counterKey].(int)
	return n, nil
}

func (contribEcho) change(c echo.Context) error {
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

func (contribEcho) create(c echo.Context) error {
	s, err := contrib.Get(cookieName, c)
	if err != nil {
		return err
	}
	s.Values[counterKey] = 1
	return s.Save(c.Request(), c.Response())
}
